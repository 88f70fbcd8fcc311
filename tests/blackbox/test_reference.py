# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two reference documents, followed to their ends with the AWS CLI: roles and policies, Run Command with the CLI's
installation and both models, the function that an upload starts, the state machine with one brace mended, HLS in the
bucket, the logs; and the second document's steps by hand, to HLS and DASH.

The blocks are those of pipelines/reference-style, or, with SPYHOP_REFERENCE=FOLDER, those of the documents' own Markdown
there. In both cases all are used, and nothing in them is changed but what the documents themselves tell their reader to
fill in (keys, region, buckets), one brace, and where the CLI's installer comes from.

The server runs with a /root and a /usr/local of its own (a mount namespace: this wants root), so that the scripts find
what they find on the machine of the documents: /usr/local/bluedot/ffmpeg with its filters, for which stands build/ffmpeg
(script/ffmpeg) or, without it, `spyhop upscale`; h264_nvenc is x264 where there is no such encoder. sudo and apt are
scripts that do as they are told, and install nothing."""
import io
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile
import time
import unittest
import zipfile

from server import ROOT, SDK, Server, program
from test_pipeline import FRAMES, frames_of, make_clip

ACCOUNT, REGION, INSTANCE = "034954464192", "ap-northeast-2", "i-0fc7eb64184f98251"
SOURCE, RESULT = "bluewhale-ami-sample", "bluewhale-ami-sample-sr"
FUNCTION, MACHINE = "s3_upload_sr_trigger", "sr_exec_with_ssm_run_cmd"
INSTALLER = "https://awscli.amazonaws.com/awscli-exe-linux-x86_64.zip"
NAMES = {  # the documents' blocks in their order, and ours
    "bluewhale-vod-sr.md": ["ssm-policy.json", "cli.sh", "model-a.sh", "model-b.sh", "role-policy.json", "role-trust.json",
                            "index.mjs", "role-arn.txt", "machine.json", "exec_bluewhale_sr.sh", "input.json"],
    "walrus-s3-mediaconvert.md": ["walrus-download.sh", "walrus-upscale.sh", "walrus-upload.sh"],
}
CONNECTS = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
    "Resource": [f"arn:aws:s3:::{bucket}/*" for bucket in (SOURCE, RESULT)]}]}

FFMPEG = """#!/usr/bin/env bash
# stands for the ffmpeg of the image: with the filters, and with x264 for an encoder that this machine has not
args=()
while [ $# -gt 0 ]; do
    case $1 in
    h264_nvenc) args+=(libx264 -preset ultrafast) ;;
    -cq) args+=(-crf) ;;
    *) args+=("$1") ;;
    esac
    shift
done
if [ -x REAL ]; then
    exec REAL -nostdin "${args[@]}"
fi
for i in "${!args[@]}"; do
    [ "${args[i]}" != -i ] || from=${args[i + 1]}
done
exec spyhop upscale --overwrite "$from" "${args[-1]}"
"""


def trusting(service):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]})


def blocks():
    """{name: text}"""
    folder = os.environ.get("SPYHOP_REFERENCE")
    ours = ROOT / "pipelines" / "reference-style"
    if not folder:
        return {name: (ours / name).read_text() for names in NAMES.values() for name in names}
    found = {}
    for document, names in NAMES.items():
        text = pathlib.Path(folder, document).read_text()
        fenced = re.findall(r"^( *)```(\w+)\n(.*?)^ *```$", text, re.M | re.S)
        assert len(fenced) == len(names), f"{document} has {len(fenced)} blocks, not {len(names)}"
        for name, (indent, _, body) in zip(names, fenced):
            found[name] = re.sub("^" + indent, "", body, flags=re.M)
    return found


def mended(text):
    """The definition without the brace that it has too many."""
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        pass
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if line.strip() == "}":
            try:
                return json.dumps(json.loads("\n".join(lines[:i] + lines[i + 1:])))
            except ValueError:
                continue
    raise AssertionError("no brace mends the machine")


def is_json(text):
    try:
        json.loads(text)
        return True
    except ValueError:
        return False


class Machine(Server):
    """The server on a machine like that of the documents."""

    def __init__(self, **more):
        self.stage = tempfile.mkdtemp(prefix="reference-")
        for name in ("root", "upper", "work", "upper/bin", "upper/bluedot"):
            os.makedirs(os.path.join(self.stage, name), exist_ok=True)
        os.symlink(ROOT / "models", self.stage + "/upper/bluedot/models")
        for name in ("bluedot/ffmpeg", "bin/ffmpeg"):
            self.place("upper/" + name, FFMPEG.replace("REAL", str(ROOT / "build/ffmpeg/ffmpeg")))
        self.place("upper/bin/sudo", '#!/bin/sh\necho "$*" >> /root/sudo.log\nexec "$@"\n')
        self.place("upper/bin/apt", '#!/bin/sh\necho "apt $*"\n')
        super().__init__(region=REGION, account=ACCOUNT, instance_id=INSTANCE, **more)

    def place(self, name, text):
        path = pathlib.Path(self.stage, name)
        path.write_text(text)
        path.chmod(0o755)

    def command(self, listen="127.0.0.1:0"):
        mount = (f"mount --bind {self.stage}/root /root && mount -t overlay overlay -o "
                 f"lowerdir=/usr/local,upperdir={self.stage}/upper,workdir={self.stage}/work /usr/local && exec \"$@\"")
        return ["unshare", "--mount", "sh", "-c", mount, "sh"] + super().command(listen)

    def clean_up(self):
        super().clean_up()
        shutil.rmtree(self.stage, ignore_errors=True)


def why_not():
    if os.geteuid() != 0:
        return "a /root of its own wants root"
    if any(str(path).startswith(("/root/", "/usr/local/")) for path in (pathlib.Path(program()).resolve(), ROOT)):
        return "the program lies where the test puts another folder"
    if not (SDK / "@aws-sdk/client-sfn").is_dir():
        return "the trigger needs the AWS SDK: script/sdk fetches it"
    with tempfile.TemporaryDirectory() as stage:
        os.makedirs(stage + "/u")
        os.makedirs(stage + "/w")
        tried = subprocess.run(["unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o",
                                f"lowerdir=/usr/local,upperdir={stage}/u,workdir={stage}/w", "/usr/local"], capture_output=True)
    return "" if tried.returncode == 0 else "no file system can be laid over another here"


@unittest.skipIf(why_not(), why_not())
class Reference(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.blocks = blocks()
        self.used = set()
        self.folder = tempfile.TemporaryDirectory(prefix="reference-")
        self.addCleanup(self.folder.cleanup)
        self.clip = os.path.join(self.folder.name, "clip.mp4")
        make_clip(self.clip)
        self.machine = Machine()
        self.addCleanup(self.machine.stop)
        self.s3 = self.machine.client("s3")

    # ---- helpers ----

    def take(self, name):
        self.used.add(name)
        return self.blocks[name]

    def aws(self, *words, **more):
        return self.machine.aws(*words, **more).stdout.strip()

    def file(self, name, text):
        path = os.path.join(self.folder.name, name)
        pathlib.Path(path).write_text(text)
        return "file://" + path

    def role(self, name, trust, *, path="/", policy=None, managed=None):
        if name not in self.aws("iam", "list-roles", "--query", "Roles[].RoleName"):  # the server makes some at its start
            self.aws("iam", "create-role", "--role-name", name, "--path", path, "--assume-role-policy-document", trust)
        if managed:
            self.aws("iam", "attach-role-policy", "--role-name", name, "--policy-arn", managed)
        if policy:
            self.aws("iam", "put-role-policy", "--role-name", name, "--policy-name", name, "--policy-document", policy)

    def run_command(self, text, instance=INSTANCE):
        """Run Command with a block as its commands, as the console sends it: a line each. Its output."""
        parameters = json.dumps({"commands": text.splitlines()})
        ssm = self.machine.client("ssm")
        sent = json.loads(self.aws("ssm", "send-command", "--document-name", "AWS-RunShellScript", "--instance-ids", instance,
                                   "--parameters", self.file("parameters.json", parameters)))["Command"]["CommandId"]
        end = time.monotonic() + 120
        while True:
            done = ssm.list_command_invocations(CommandId=sent, Details=True)["CommandInvocations"]
            if done and done[0]["Status"] not in ("Pending", "InProgress", "Delayed"):
                break
            self.assertLess(time.monotonic(), end, done)
            time.sleep(0.2)
        seen = json.loads(self.aws("ssm", "get-command-invocation", "--command-id", sent, "--instance-id", instance))
        self.assertEqual(seen["Status"], "Success", seen)
        return seen["StandardOutputContent"] + seen["StandardErrorContent"]

    def with_keys(self, text):
        for word, value in (("ACCESS_KEY_ID", self.keys["AccessKeyId"]), ("SECRET_ACCESS_KEY", self.keys["SecretAccessKey"]),
                            ("REGION", REGION)):
            text = re.sub("your_" + word, lambda _: value, text, flags=re.I)
        return text

    def fetch(self, bucket, prefix):
        """Folder with all objects under a prefix."""
        to = tempfile.mkdtemp(dir=self.folder.name)
        self.aws("s3", "cp", "--recursive", "--only-show-errors", f"s3://{bucket}/{prefix}", to)
        return pathlib.Path(to)

    def check_film(self, path):
        self.assertEqual(frames_of(str(path)), FRAMES)
        size = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of",
                               "csv=p=0:s=x", str(path)], check=True, capture_output=True, text=True).stdout.split()
        self.assertEqual(size[0].rstrip("x"), "320x180")

    # ---- the first document ----

    def test_bluewhale(self):
        self.step_1()
        self.step_2()
        self.step_3()
        self.step_4()
        self.assertEqual(self.used, set(NAMES["bluewhale-vod-sr.md"]))

    def step_1(self):
        """The role of the instance; the instance is there and managed, and another one is."""
        self.role("EC2-SSM-ROLE", trusting("ec2.amazonaws.com"),
                  managed="arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore")
        self.aws("iam", "put-role-policy", "--role-name", "EC2-SSM-ROLE", "--policy-name", "EC2-SSM-POLICY",
                 "--policy-document", self.take("ssm-policy.json"))
        self.wait_online(INSTANCE)
        self.add_node()
        for bucket in (SOURCE, RESULT):
            self.aws("s3", "mb", f"s3://{bucket}")
        self.aws("iam", "create-user", "--user-name", "sr")
        self.aws("iam", "put-user-policy", "--user-name", "sr", "--policy-name", "films", "--policy-document", json.dumps(CONNECTS))
        self.keys = json.loads(self.aws("iam", "create-access-key", "--user-name", "sr"))["AccessKey"]

    def wait_online(self, instance):
        end = time.monotonic() + 30
        while "Online" not in self.aws("ssm", "describe-instance-information", "--query",
                                       f"InstanceInformationList[?InstanceId=='{instance}'].PingStatus", "--output", "text"):
            self.assertLess(time.monotonic(), end)

    def add_node(self):
        """A second machine, by an activation: it has the role that the activation names."""
        self.role("SSM-NODE-ROLE", trusting("ssm.amazonaws.com"), managed="arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore")
        made = json.loads(self.aws("ssm", "create-activation", "--iam-role", "SSM-NODE-ROLE", "--default-instance-name", "second",
                                   "--registration-limit", "1"))
        data = os.path.join(self.folder.name, "node")
        agent = [program(), "agent"]
        done = subprocess.run([*agent, "register", "--server", self.machine.endpoint, "--id", made["ActivationId"], "--code",
                               made["ActivationCode"], "--data", data], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        node = done.stdout.strip()
        self.assertRegex(node, r"\Ami-[0-9a-f]{17}\Z")
        with open(os.path.join(self.folder.name, "node.log"), "wb") as log:
            process = subprocess.Popen([*agent, "run", "--data", data], stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        self.wait_online(node)
        self.assertIn("assumed-role/SSM-NODE-ROLE/", self.run_command("aws sts get-caller-identity", instance=node))

    def step_2(self):
        """The CLI installed by Run Command, then both models."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            entry = zipfile.ZipInfo("aws/install")
            entry.external_attr = (stat.S_IFREG | 0o755) << 16
            archive.writestr(entry, "#!/bin/sh\nln -sf /usr/bin/aws /usr/local/bin/aws && echo 'You can now run: aws --version'\n")
        pathlib.Path(self.machine.stage, "root", "cli.zip").write_bytes(packed.getvalue())
        install = self.take("cli.sh")
        self.assertIn(INSTALLER, install)
        said = self.run_command(install.replace(INSTALLER, "file:///root/cli.zip"))
        self.assertIn("You can now run", said)
        self.assertRegex(said, r"aws-cli/\d")
        self.assertEqual(pathlib.Path(self.machine.stage, "root", "sudo.log").read_text().splitlines()[-1], "./aws/install")
        self.aws("s3", "cp", "--only-show-errors", self.clip, f"s3://{SOURCE}/original_640x480_10s.mp4")
        for name in ("model-a.sh", "model-b.sh"):
            self.run_command(self.with_keys(self.take(name)))
            self.check_film(self.fetch(RESULT, "") / "sr_1280x960_10s.mp4")
            self.aws("s3", "rm", f"s3://{RESULT}/sr_1280x960_10s.mp4")

    def step_3(self):
        """Role, function, trigger, machine and script."""
        arn = self.take("role-arn.txt").strip()
        self.role("s3_upload_trigger-role-03uddgtr", self.take("role-trust.json"), path="/service-role/",
                  policy=self.take("role-policy.json"))
        self.role("MediaConvert_Default_Role", trusting("mediaconvert.amazonaws.com"), policy=json.dumps(CONNECTS))
        self.make_function(arn)
        self.make_machine(arn)
        self.machine.place("root/exec_bluewhale_sr.sh", self.with_keys(self.take("exec_bluewhale_sr.sh")))

    def make_function(self, role):
        packed = os.path.join(self.folder.name, "code.zip")
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("index.mjs", self.take("index.mjs"))
        function = json.loads(self.aws(
            "lambda", "create-function", "--function-name", FUNCTION, "--runtime", "nodejs22.x", "--handler", "index.handler",
            "--role", role, "--timeout", "30", "--zip-file", "fileb://" + packed))["FunctionArn"]
        self.aws("lambda", "wait", "function-active-v2", "--function-name", FUNCTION)
        self.aws("lambda", "add-permission", "--function-name", FUNCTION, "--statement-id", "s3", "--action",
                 "lambda:InvokeFunction", "--principal", "s3.amazonaws.com", "--source-arn", f"arn:aws:s3:::{SOURCE}",
                 "--source-account", ACCOUNT)
        wanted = [{"Id": "trigger", "LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}]
        self.aws("s3api", "put-bucket-notification-configuration", "--bucket", SOURCE, "--notification-configuration",
                 json.dumps({"LambdaFunctionConfigurations": wanted}))
        there = json.loads(self.aws("s3api", "get-bucket-notification-configuration", "--bucket", SOURCE))
        self.assertEqual(there["LambdaFunctionConfigurations"], wanted)

    def make_machine(self, role):
        text = self.take("machine.json")
        create = ["stepfunctions", "create-state-machine", "--name", MACHINE, "--role-arn", role, "--definition"]
        if is_json(text):
            text = re.sub(r'("commands\.\$".*\n)', r"\1          }\n", text, count=1)
        refused = self.machine.aws(*create, self.file("broken.json", text), check=False)
        self.assertEqual(refused.returncode, 254, refused.stdout)
        self.assertRegex(refused.stderr, r"InvalidDefinition.*line \d+")
        self.arn = json.loads(self.aws(*create, self.file("machine.json", mended(text))))["stateMachineArn"]
        self.assertEqual(self.arn, f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{MACHINE}")

    def step_4(self):
        """An upload becomes HLS; the same by hand with the document's input; the logs."""
        self.aws("s3", "cp", "--only-show-errors", self.clip, f"s3://{SOURCE}/apink_10s.mp4")
        self.wait_executions(1)
        self.check_hls()
        self.aws("s3", "rm", "--recursive", f"s3://{RESULT}/")
        self.aws("stepfunctions", "start-execution", "--state-machine-arn", self.arn, "--input",
                 self.file("input.json", self.take("input.json")))
        self.wait_executions(2)
        self.check_hls()
        said = self.read_log()
        self.assertIn("step function input", said)
        self.assertIn("Step Function success", said)
        self.assertRegex(said, r"REPORT RequestId: ")

    def wait_executions(self, count):
        sfn = self.machine.client("stepfunctions")
        end = time.monotonic() + 300
        while True:
            found = sfn.list_executions(stateMachineArn=self.arn)["executions"]
            if len(found) == count and all(one["status"] != "RUNNING" for one in found):
                break
            self.assertLess(time.monotonic(), end, (found, self.machine.log_text()[-3000:]))
            time.sleep(0.2)
        for one in found:
            self.assertEqual(one["status"], "SUCCEEDED", sfn.describe_execution(executionArn=one["executionArn"]))

    def check_hls(self):
        """The film and its stream, under the names that follow from the machine."""
        fetched = self.fetch(RESULT, "")
        self.check_film(fetched / "apink_10s_sr_2x.mp4")
        stream = fetched / "hls" / "apink_10s_sr_2x.mp4"
        self.check_film(stream / "apink_10s_sr_2x.m3u8")
        self.check_film(stream / "apink_10s_sr_2x_modifier_apink_10s_sr_2x.mp4.m3u8")

    def read_log(self):
        group = f"/aws/lambda/{FUNCTION}"
        end = time.monotonic() + 20
        while True:
            said = self.aws("logs", "filter-log-events", "--log-group-name", group, "--query", "events[].message")
            if "REPORT" in said:
                return said
            self.assertLess(time.monotonic(), end, said)

    # ---- the second document ----

    def copy(self, name, folder):
        """A block of a command and what it says."""
        text = self.take(name).replace("<s3-input-bucket-name>", "films").replace("<s3-upscaled-bucket-name>", "upscaled")
        command, said = text.strip().splitlines()
        done = self.machine.aws(*command.split()[1:], cwd=folder)
        self.assertIn(said, done.stdout)

    def test_walrus(self):
        root = os.path.join(self.machine.stage, "root")
        for bucket in ("films", "upscaled", "streams"):
            self.aws("s3", "mb", "s3://" + bucket)
        self.aws("s3", "cp", "--only-show-errors", self.clip, "s3://films/original_input.mp4")
        self.copy("walrus-download.sh", root)
        self.run_command("cd /root\n" + self.take("walrus-upscale.sh"))
        self.copy("walrus-upload.sh", root)
        self.check_film(self.fetch("upscaled", "") / "output.mp4")
        self.role("MediaConvert_Default_Role", trusting("mediaconvert.amazonaws.com"), policy=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::upscaled/*"},
                {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::streams/*"}]}))
        for kind, container, playlist in (("HLS", "M3U8", "output.m3u8"), ("DASH_ISO", "MPD", "output.mpd")):
            self.make_stream(kind, container)
            stream = self.fetch("streams", kind + "/")
            self.assertGreaterEqual(len(list(stream.iterdir())), 3)
            self.check_film(stream / playlist)
        self.assertEqual(self.used, set(NAMES["walrus-s3-mediaconvert.md"]))

    def make_stream(self, kind, container):
        group = "Hls" if kind == "HLS" else "DashIso"
        video = {"CodecSettings": {"Codec": "H_264", "H264Settings": {"RateControlMode": "QVBR", "MaxBitrate": 5000000}}}
        audio = {"CodecSettings": {"Codec": "AAC", "AacSettings": {
            "Bitrate": 96000, "CodingMode": "CODING_MODE_2_0", "SampleRate": 48000}}}
        parts = [{"VideoDescription": video, "AudioDescriptions": [audio]}] if kind == "HLS" else \
            [{"VideoDescription": video}, {"AudioDescriptions": [audio]}]
        outputs = [dict(part, NameModifier=f"_{i}", ContainerSettings={"Container": container}) for i, part in enumerate(parts)]
        settings = {
            "Inputs": [{"FileInput": "s3://upscaled/output.mp4", "VideoSelector": {},
                        "AudioSelectors": {"Audio Selector 1": {"DefaultSelection": "DEFAULT"}}}],
            "OutputGroups": [{"Outputs": outputs, "OutputGroupSettings": {
                "Type": kind + "_GROUP_SETTINGS",
                group + "GroupSettings": {"Destination": f"s3://streams/{kind}/", "SegmentLength": 10,
                                          **({"FragmentLength": 2} if kind != "HLS" else {"MinSegmentLength": 0})}}}]}
        job = json.loads(self.aws("mediaconvert", "create-job", "--role",
                                  f"arn:aws:iam::{ACCOUNT}:role/MediaConvert_Default_Role", "--settings",
                                  self.file("settings.json", json.dumps(settings))))["Job"]["Id"]
        end = time.monotonic() + 120
        while True:
            seen = json.loads(self.aws("mediaconvert", "get-job", "--id", job))["Job"]
            if seen["Status"] not in ("SUBMITTED", "PROGRESSING"):
                break
            self.assertLess(time.monotonic(), end, seen)
        self.assertEqual(seen["Status"], "COMPLETE", seen)


if __name__ == "__main__":
    unittest.main()
