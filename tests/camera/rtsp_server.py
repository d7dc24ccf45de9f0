"""An RTSP camera for the tests, run with the system's Python, which has GStreamer's bindings.

`rtsp_server.py [PORT [FPS [KIND]]]`: the port in use is the first line of the output; port 0, the
default, selects a free one. FPS is 20 by default. KIND is `tcp` (default) or `udp`, the transport
that the server offers, or `locked`: only for the user `me` with the password `secret`. The streams
are H.264 with a key frame each second:

- `/ball`: a moving ball, 320x240 pixels
- `/interlaced`: the same, coded as two fields of which each has every second line
- `/dark`: black without noise, as an encoder makes it of a dark scene
- `/lossy`: a moving pattern, of which 2 % of the packets are lost
- `/resized`: 640x360 pixels, and 1280x720 after SIGUSR1
"""

import signal
import sys

import gi  # type: ignore[import-not-found]  # of the system's Python

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import (  # type: ignore[import-not-found]  # noqa: E402  chosen above
    GLib,
    Gst,
    GstRtsp,
    GstRtspServer,
)


def serve(port: str = "0", fps: str = "20", kind: str = "tcp") -> None:
    """Serve until the process is killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    encoder = (
        f"x264enc tune=zerolatency speed-preset=ultrafast sliced-threads=false key-int-max={fps}"
        " quantizer=30 pass=quant"
        " ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
    )
    rate = f"framerate={fps}/1"
    small = f"video/x-raw,width=320,height=240,{rate}"
    launches = {
        "/ball": f"( videotestsrc is-live=true pattern=ball ! {small} ! {encoder}",
        "/interlaced": f"( videotestsrc is-live=true pattern=ball ! {small}"
        f" ! interlace field-pattern=1:1 ! {encoder.replace('x264enc', 'x264enc interlaced=true')}",
        "/dark": f"( videotestsrc is-live=true pattern=black ! {small} ! {encoder}",
        "/lossy": "( videotestsrc is-live=true horizontal-speed=9 pattern=smpte"
        f" ! {small} ! {encoder.replace('name=pay0', '')[:-2]}"
        " ! identity drop-probability=0.02 name=pay0 )",
        "/resized": "( videotestsrc is-live=true pattern=ball ! videoscale"
        f" ! capsfilter name=size caps=video/x-raw,width=640,height=360,{rate} ! {encoder}",
    }
    transport = GstRtsp.RTSPLowerTrans.UDP if kind == "udp" else GstRtsp.RTSPLowerTrans.TCP
    for path, launch in launches.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(launch)
        factory.set_shared(True)
        factory.set_protocols(transport)
        if path == "/resized":
            factory.connect("media-configure", resize_when_told)
        if kind == "locked":
            lock(server, factory)
        server.get_mount_points().add_factory(path, factory)
    if server.attach(None) == 0:
        sys.exit("cannot listen: the port is taken")
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


def resize_when_told(_factory: object, media: object) -> None:
    """Change the size of a stream at the signal SIGUSR1."""
    size = media.get_element().get_by_name("size")  # type: ignore[attr-defined]
    caps = "video/x-raw,width=1280,height=720"

    def resize() -> bool:
        size.set_property("caps", Gst.caps_from_string(caps))
        return False  # once

    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGUSR1, resize)


def lock(server: object, factory: object) -> None:
    """Let only the user `me` with the password `secret` see a stream."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest("me", "secret", token)
    anyone = GstRtspServer.RTSPToken()
    anyone.set_string("media.factory.role", "anyone")
    auth.set_default_token(anyone)
    server.set_auth(auth)  # type: ignore[attr-defined]
    permissions = GstRtspServer.RTSPPermissions()
    for right in ("access", "construct"):
        permissions.add_permission_for_role("viewer", f"media.factory.{right}", True)
    permissions.add_permission_for_role("anyone", "media.factory.access", True)
    factory.set_permissions(permissions)  # type: ignore[attr-defined]


serve(*sys.argv[1:])
