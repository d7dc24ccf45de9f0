"""Variables that begin as ours do, and that other programs set."""

import re

# Kubernetes sets them for a service called "agent" or "agent-...", Docker for a link called so.
_LINKS = re.compile(
    r"AGENT_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)"
    r"|AGENT_(?:\w+_)?ENV_\w+"
)
_LINK_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://")

# Agents that build software (Azure Pipelines, Jenkins, TeamCity, GoCD, Buildkite) or watch
# computers (Portainer, Datadog, Elastic, Puppet), and supervisors of any program called "agent".
# fmt: off
_NAMES = frozenset({
    "ACCEPTTEEEULA", "ALLOW_RUNASROOT", "ARCH", "ARCHITECTURE", "ARGS", "BIN", "BUILDDIRECTORY",
    "BUILD_DIR", "CLOUDID", "CLUSTER", "CLUSTER_ADDR", "CLUSTER_PROBE_INTERVAL",
    "CLUSTER_PROBE_TIMEOUT", "COMPONENT", "CONFIG", "CONFIG_FILE", "DATA_DIR", "DEBUG",
    "DEPLOYMENTGROUPID", "DIAGNOSTIC", "DIR", "DISABLELOGPLUGIN", "ENV", "ENVIRONMENT",
    "ENVIRONMENTID", "EXE", "FLOWCONTROL", "GROUP", "HOME", "HOMEDIRECTORY", "HOST", "HOSTNAME",
    "ID", "INFO", "INSTALL_DIR", "INSTANCE", "INSTANCE_ID", "IP", "ISSELFHOSTED", "JAVA_OPTS",
    "JOBNAME", "JOBSTATUS", "KEY_FILE", "LANG", "LISTEN", "LISTEN_ADDR", "MACHINENAME", "MODE",
    "NAME", "NAMESPACE", "NODE", "NODE_NAME", "OPTS", "OS", "OSARCHITECTURE", "OSVERSION", "OWNER",
    "PID", "PIDFILE", "PLATFORM", "POOL", "PORT", "PROXYURL", "QUEUE", "READONLYVARIABLES",
    "RELEASEDIRECTORY", "RETAINDEFAULTENCODING", "ROLE", "ROOTDIRECTORY", "RUN_DIR", "SECRET",
    "SECRET_TIMEOUT", "SERVER", "SERVEROMDIRECTORY", "SERVER_URL", "SESSION", "SHELL", "SSL",
    "STARTUP_ARGS", "TAGS", "TASKRESTRICTIONSENFORCEMENTMODE", "TEAM", "TEMPDIRECTORY", "TEMP_DIR",
    "TOOLSDIRECTORY", "TYPE", "USER", "USERNAME", "USEWORKSPACEID", "UUID", "VERSION", "VM_NAME",
    "WORKDIR", "WORKDIRECTORY", "WORKFOLDER", "WORKSPACE", "WORK_DIR",
})
# fmt: on
_PREFIXES = (
    "AGENT_AUTO_REGISTER_",
    "AGENT_BOOTSTRAPPER_",
    "AGENT_CLIENTCERT",
    "AGENT_DISABLE",
    "AGENT_ENABLE_",
    "AGENT_KNOB_",
    "AGENT_PROXY",
    "AGENT_SSL",
    "AGENT_USE_",
)


def is_foreign(name: str, value: str) -> bool:
    """Return whether another program is known to set this variable.

    `name` begins with our prefix and is none of our settings.
    """
    upper = name.upper()
    return bool(
        upper.removeprefix("AGENT_") in _NAMES
        or upper.startswith(_PREFIXES)
        or upper.endswith("DIRECTORY")
        or _LINKS.fullmatch(upper)
        or (upper.endswith("_PORT") and _LINK_ADDRESS.match(value))
    )
