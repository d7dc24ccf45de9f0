# Completion of capture-agent for fish. Made by packaging/manual.py.
complete -c capture-agent -n __fish_use_subcommand -l help -d 'Show the help'
complete -c capture-agent -n __fish_use_subcommand -l version -d 'Print the version'
complete -c capture-agent -n __fish_use_subcommand -f -a run -d 'Run the daemon in the foreground until SIGTERM, or until all recordings have ended.'
complete -c capture-agent -n '__fish_seen_subcommand_from run' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a flush -d 'Deliver what waits, and exit: 0 when all is delivered, 75 when something still waits.'
complete -c capture-agent -n '__fish_seen_subcommand_from flush' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a check -d 'Check settings, model, cameras, disk and endpoint; say what is wrong and how to fix it.'
complete -c capture-agent -n '__fish_seen_subcommand_from check' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from check' -l upload-test
complete -c capture-agent -n '__fish_seen_subcommand_from check' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a status -d 'Show the cameras, what waits, was delivered and was lost; does not disturb a running daemon.'
complete -c capture-agent -n '__fish_seen_subcommand_from status' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from status' -l watch
complete -c capture-agent -n '__fish_seen_subcommand_from status' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a export -d 'Copy all waiting captures into a dataset folder, on a USB stick for example.'
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l acknowledge
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l clips
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l format
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a request -d 'Ask the running daemon to capture the next frame of a camera, or of each, and say its id.'
complete -c capture-agent -n '__fish_seen_subcommand_from request' -l wait
complete -c capture-agent -n '__fish_seen_subcommand_from request' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from request' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a look -d 'Write an image of what the cameras see now, with the model\'s boxes, beside the daemon.'
complete -c capture-agent -n '__fish_seen_subcommand_from look' -l out
complete -c capture-agent -n '__fish_seen_subcommand_from look' -l waiting
complete -c capture-agent -n '__fish_seen_subcommand_from look' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a demo -d 'Watch a clip with the bundled model, lose the network for its middle third, deliver all.'
complete -c capture-agent -n '__fish_seen_subcommand_from demo' -l dir
complete -c capture-agent -n '__fish_seen_subcommand_from demo' -l clip
complete -c capture-agent -n '__fish_seen_subcommand_from demo' -l loop
complete -c capture-agent -n '__fish_seen_subcommand_from demo' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a replay -d 'Show what the daemon would capture from recordings, as fast as this computer can.'
complete -c capture-agent -n '__fish_seen_subcommand_from replay' -l fps
complete -c capture-agent -n '__fish_seen_subcommand_from replay' -l budget
complete -c capture-agent -n '__fish_seen_subcommand_from replay' -l out
complete -c capture-agent -n '__fish_seen_subcommand_from replay' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from replay' -l report
complete -c capture-agent -n '__fish_seen_subcommand_from replay' -l explain
complete -c capture-agent -n '__fish_seen_subcommand_from replay' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a pool -d 'Choose the images of a pool that would show the most failures, once labelled.'
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l take
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l out
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l after
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l engine
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l address
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l per-camera
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l per-class
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l degraded
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l feedback
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l workers
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l fps
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l ids
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from pool' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a evaluate -d 'Measure the model on the reviewed random captures: failure rate, precision, recall, AP.'
complete -c capture-agent -n '__fish_seen_subcommand_from evaluate' -l labels
complete -c capture-agent -n '__fish_seen_subcommand_from evaluate' -l reviewed
complete -c capture-agent -n '__fish_seen_subcommand_from evaluate' -l model
complete -c capture-agent -n '__fish_seen_subcommand_from evaluate' -l model-format
complete -c capture-agent -n '__fish_seen_subcommand_from evaluate' -l model-labels
complete -c capture-agent -n '__fish_seen_subcommand_from evaluate' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from evaluate' -l report
complete -c capture-agent -n '__fish_seen_subcommand_from evaluate' -l cache
complete -c capture-agent -n '__fish_seen_subcommand_from evaluate' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a feedback -d 'Make from reviewed captures the file that tells devices which suspects were failures.'
complete -c capture-agent -n '__fish_seen_subcommand_from feedback' -l out
complete -c capture-agent -n '__fish_seen_subcommand_from feedback' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from feedback' -l cache
complete -c capture-agent -n '__fish_seen_subcommand_from feedback' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a receive -d 'Receive captures into a dataset folder: a small real endpoint for tests and for a LAN.'
complete -c capture-agent -n '__fish_seen_subcommand_from receive' -l dir
complete -c capture-agent -n '__fish_seen_subcommand_from receive' -l port
complete -c capture-agent -n '__fish_seen_subcommand_from receive' -l host
complete -c capture-agent -n '__fish_seen_subcommand_from receive' -l token-file
complete -c capture-agent -n '__fish_seen_subcommand_from receive' -l clips
complete -c capture-agent -n '__fish_seen_subcommand_from receive' -l devices-max
complete -c capture-agent -n '__fish_seen_subcommand_from receive' -l new-devices-max
complete -c capture-agent -n '__fish_seen_subcommand_from receive' -l stopped-max
complete -c capture-agent -n '__fish_seen_subcommand_from receive' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a fleet -d 'Show all devices by their heartbeats: who needs somebody first, and what to do.'
complete -c capture-agent -n '__fish_seen_subcommand_from fleet' -l all
complete -c capture-agent -n '__fish_seen_subcommand_from fleet' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from fleet' -l report
complete -c capture-agent -n '__fish_seen_subcommand_from fleet' -l stopped-max
complete -c capture-agent -n '__fish_seen_subcommand_from fleet' -l forget
complete -c capture-agent -n '__fish_seen_subcommand_from fleet' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a review -d 'Review captures in a browser: say what is right or wrong, and correct the boxes.'
complete -c capture-agent -n '__fish_seen_subcommand_from review' -l port
complete -c capture-agent -n '__fish_seen_subcommand_from review' -l host
complete -c capture-agent -n '__fish_seen_subcommand_from review' -l token-file
complete -c capture-agent -n '__fish_seen_subcommand_from review' -l tls-cert
complete -c capture-agent -n '__fish_seen_subcommand_from review' -l by
complete -c capture-agent -n '__fish_seen_subcommand_from review' -l cache
complete -c capture-agent -n '__fish_seen_subcommand_from review' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a dataset -d 'Export, import, merge, check or extend a dataset folder.'
complete -c capture-agent -n '__fish_seen_subcommand_from dataset' -l help
complete -c capture-agent -n '__fish_seen_subcommand_from dataset' -f -a export -d 'Write a version of a dataset to train with: split by camera and time, in other tools\' form.'
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l out
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l format
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l task
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l origin
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l block
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l gap
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l val
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l test
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l cache
complete -c capture-agent -n '__fish_seen_subcommand_from export' -l help
complete -c capture-agent -n '__fish_seen_subcommand_from dataset' -f -a import -d 'Import what people corrected in Label Studio, Roboflow, CVAT or another tool as reviews.'
complete -c capture-agent -n '__fish_seen_subcommand_from import' -l by
complete -c capture-agent -n '__fish_seen_subcommand_from import' -l reviewed
complete -c capture-agent -n '__fish_seen_subcommand_from import' -l dry-run
complete -c capture-agent -n '__fish_seen_subcommand_from import' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from import' -l cache
complete -c capture-agent -n '__fish_seen_subcommand_from import' -l help
complete -c capture-agent -n '__fish_seen_subcommand_from dataset' -f -a merge -d 'Merge dataset folders: captures, clips, verdicts and corrected labels.'
complete -c capture-agent -n '__fish_seen_subcommand_from merge' -l out
complete -c capture-agent -n '__fish_seen_subcommand_from merge' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from merge' -l cache
complete -c capture-agent -n '__fish_seen_subcommand_from merge' -l help
complete -c capture-agent -n '__fish_seen_subcommand_from dataset' -f -a health -d 'Report what a dataset holds, what it lacks, and what to do about it.'
complete -c capture-agent -n '__fish_seen_subcommand_from health' -l out
complete -c capture-agent -n '__fish_seen_subcommand_from health' -l report
complete -c capture-agent -n '__fish_seen_subcommand_from health' -l target
complete -c capture-agent -n '__fish_seen_subcommand_from health' -l timezone
complete -c capture-agent -n '__fish_seen_subcommand_from health' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from health' -l cache
complete -c capture-agent -n '__fish_seen_subcommand_from health' -l help
complete -c capture-agent -n '__fish_seen_subcommand_from dataset' -f -a synthesize -d 'Make variants of reviewed captures: other light, smaller, larger, moved, mirrored.'
complete -c capture-agent -n '__fish_seen_subcommand_from synthesize' -l credits
complete -c capture-agent -n '__fish_seen_subcommand_from synthesize' -l out
complete -c capture-agent -n '__fish_seen_subcommand_from synthesize' -l seed
complete -c capture-agent -n '__fish_seen_subcommand_from synthesize' -l per-parent
complete -c capture-agent -n '__fish_seen_subcommand_from synthesize' -l never-flip
complete -c capture-agent -n '__fish_seen_subcommand_from synthesize' -l flip
complete -c capture-agent -n '__fish_seen_subcommand_from synthesize' -l target
complete -c capture-agent -n '__fish_seen_subcommand_from synthesize' -l dry-run
complete -c capture-agent -n '__fish_seen_subcommand_from synthesize' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from synthesize' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a install -d 'Install this capture-agent as a service: user, folders, settings, unit.'
complete -c capture-agent -n '__fish_seen_subcommand_from install' -l root
complete -c capture-agent -n '__fish_seen_subcommand_from install' -l executable
complete -c capture-agent -n '__fish_seen_subcommand_from install' -l dry-run
complete -c capture-agent -n '__fish_seen_subcommand_from install' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a uninstall -d 'Stop the service and remove it; captures and settings stay unless --purge.'
complete -c capture-agent -n '__fish_seen_subcommand_from uninstall' -l root
complete -c capture-agent -n '__fish_seen_subcommand_from uninstall' -l purge
complete -c capture-agent -n '__fish_seen_subcommand_from uninstall' -l dry-run
complete -c capture-agent -n '__fish_seen_subcommand_from uninstall' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a env -d 'Print the env file: every setting, its meaning and its default.'
complete -c capture-agent -n '__fish_seen_subcommand_from env' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a as-service -d 'Run another command as the installed service runs: its settings, token, user and sandbox.'
complete -c capture-agent -n '__fish_seen_subcommand_from as-service' -l writable
complete -c capture-agent -n '__fish_seen_subcommand_from as-service' -l help
complete -c capture-agent -n __fish_use_subcommand -f -a rejected -d 'What the endpoint refused, and what to do with it.'
complete -c capture-agent -n '__fish_seen_subcommand_from rejected' -l help
complete -c capture-agent -n '__fish_seen_subcommand_from rejected' -f -a list -d 'Show what was refused; works while the daemon runs.'
complete -c capture-agent -n '__fish_seen_subcommand_from list' -l json
complete -c capture-agent -n '__fish_seen_subcommand_from list' -l help
complete -c capture-agent -n '__fish_seen_subcommand_from rejected' -f -a retry -d 'Let refused captures wait for delivery again. Stop the daemon first.'
complete -c capture-agent -n '__fish_seen_subcommand_from retry' -l help
complete -c capture-agent -n '__fish_seen_subcommand_from rejected' -f -a drop -d 'Delete refused captures for good. Stop the daemon first.'
complete -c capture-agent -n '__fish_seen_subcommand_from drop' -l help
