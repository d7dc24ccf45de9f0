"""The table of targets: what each address form means, and which class delivers to it.

Error messages, the description of `AGENT_UPLOAD_URL` and the tables in the documents are made
from it. It imports no target: a class is named as "module:Class" and imported by `make_target`.
"""

from dataclasses import dataclass

S3_EXTRA = "obstore>=0.12,<0.13"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """One kind of target. Texts may use Markdown; they complete the table of the documents."""

    name: str
    forms: tuple[str, ...]
    """Forms of the address; the first is the one to recommend. Each has a scheme of its own."""
    arrives: str
    """What captures become there."""
    proof: str
    """What the target must see before a capture counts as delivered."""
    credential: str | None
    """What `AGENT_UPLOAD_TOKEN` must be, or where else the secret comes from; None: no secret."""
    extra: str | None = None
    """What pip must install besides the agent."""
    takes_clips: bool = False
    """Whether it has a place for the clip of a capture."""
    target_class: str
    """The class as "module:Class"; it has a classmethod `from_url`, see `OpensTarget`."""

    @property
    def schemes(self) -> tuple[str, ...]:
        """The schemes of the forms: the text before the first colon."""
        return tuple(form.partition(":")[0] for form in self.forms)


TARGETS: tuple[TargetRow, ...] = (
    TargetRow(
        name="any HTTP endpoint",
        forms=("https://HOST/PATH", "http://HOST/PATH"),
        arrives="one POST each, with image, record and clip",
        proof="the response repeats the capture's id, and the SHA-256 of image and clip",
        credential="`AGENT_UPLOAD_TOKEN`: sent as `Bearer`",
        takes_clips=True,
        target_class="agent.upload.targets.endpoint:EndpointTarget",
    ),
    TargetRow(
        name="a folder",
        forms=("dir:/PATH",),
        arrives="a dataset on a USB disk or network mount: images, records, YOLO labels, clips",
        proof="the files are written and flushed to the disk",
        credential=None,
        takes_clips=True,
        target_class="agent.upload.targets.folder:FolderTarget",
    ),
    TargetRow(
        name="Roboflow",
        forms=(
            "roboflow://PROJECT",
            "roboflow+https://HOST/PROJECT",
            "roboflow+http://HOST/PROJECT",
        ),
        arrives="images with boxes to review, in a Roboflow project",
        proof="the response has an image id, and the boxes are accepted",
        credential="`AGENT_UPLOAD_TOKEN`: the API key",
        target_class="agent.upload.targets.roboflow:RoboflowTarget",
    ),
    TargetRow(
        name="an S3 bucket",
        forms=("s3://BUCKET/PREFIX",),
        arrives="objects in Amazon S3, MinIO, R2 or Ceph: image, record, and clip if there is one",
        proof="the store's tag is the image's MD5, or the object reads back the same",
        credential="the usual `AWS_` variables",
        extra=S3_EXTRA,
        takes_clips=True,
        target_class="agent.upload.targets.s3:S3Target",
    ),
    TargetRow(
        name="Label Studio",
        forms=(
            "label-studio+https://HOST/projects/ID",
            "label-studio+http://HOST/projects/ID",
        ),
        arrives="tasks with boxes to correct, in a Label Studio project",
        proof="the response has the task's number, and the task has its prediction",
        credential="`AGENT_UPLOAD_TOKEN`: an access token",
        target_class="agent.upload.targets.label_studio:LabelStudioTarget",
    ),
)
"""Every kind of target, the most general first."""


def find_target(url: str, targets: tuple[TargetRow, ...] = TARGETS) -> TargetRow | None:
    """Return the row whose scheme `url` has; None if no row has it."""
    scheme = url.partition(":")[0].lower()
    return next((row for row in targets if scheme in row.schemes), None)


def address_forms(targets: tuple[TargetRow, ...] = TARGETS) -> str:
    """Return every form of an address, as error messages list them."""
    return ", ".join(form for row in targets for form in row.forms)


def address_description(targets: tuple[TargetRow, ...] = TARGETS) -> str:
    """Return the description of `AGENT_UPLOAD_URL`."""
    listed = ", ".join(f"`{row.forms[0]}` ({row.name})" for row in targets)
    return f"Where captures are delivered: {listed}. If unset, captures stay on disk."
