"""Nothing that quotes pods, events or tools reaches a terminal unmasked."""

from deployer.cli.masked import MaskingSink, masked_error
from deployer.errors import DeploymentFailed, ErrorGroup
from deployer.events import DownloadProgress, OutputLine, PhaseFinished, RolloutProgress, WarningRaised
from deployer.masking import Masker
from deployer.masking.document import mask_texts
from deployer.model import ObjectKey, PodState, Target, WorkloadState
from tests.fakes import RecordingSink

SECRET = "correct-horse-battery"
MASK = Masker([SECRET]).mask
SAID = f"it said {SECRET}!"
TARGET = Target("prod", "london", "myapp")


def test_every_text_of_an_event_is_masked() -> None:
    pod = PodState("myapp-1", "Running", False, 0, "progressing", SAID)
    workload = WorkloadState(ObjectKey("apps/v1", "Deployment", "default", "a"), 1, 1, 0, "progressing", SAID, (pod,))
    recorder = RecordingSink()
    sink = MaskingSink(recorder, MASK)
    for event in (
        OutputLine("build", SAID),
        WarningRaised(SAID, hint=SAID),
        PhaseFinished("rollout", 1.0, detail=SAID),
        RolloutProgress(TARGET, (workload,)),
        DownloadProgress(SAID, 1, 2),
    ):
        sink.emit(event)
    assert len(recorder.events) == 5
    assert SECRET not in repr(recorder.events)
    assert repr(recorder.events).count("it said ***!") == 7


def test_every_text_of_an_error_is_masked() -> None:
    error = ErrorGroup([DeploymentFailed(SAID, where=SAID, why=SAID, hint=SAID, chain=[SAID])])
    (leaf,) = masked_error(error, MASK).leaves()
    assert SECRET not in repr((leaf.what, leaf.where, leaf.why, leaf.hint, leaf.chain, leaf.args))
    assert SECRET not in str(leaf)


def test_documents_keep_their_structure() -> None:
    tricky = Masker(['a": "b-secret']).mask
    document = {"why": 'it is a": "b-secret', "list": [1, None, True, ("x",)]}
    assert mask_texts(document, tricky) == {"why": "it is ***", "list": [1, None, True, ["x"]]}
