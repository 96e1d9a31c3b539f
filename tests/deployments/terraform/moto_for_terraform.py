"""A program: moto's server on a free loopback port, with what it lacks for Terraform to see no change; says its URL once it is up."""

import json
import sys
import threading
from typing import Any

from moto.ec2.models.launch_templates import LaunchTemplate
from moto.server import ThreadedMotoServer
from moto.sqs.models import Queue


def amend(queue: Any, launch_template: Any) -> None:
    """Makes two of moto's classes answer as AWS does."""
    as_moto_has_them, make_version = queue.attributes.fget, launch_template.create_version

    def attributes(self: Any) -> dict[str, Any]:
        """AWS gives policies back as they came; moto writes its own JSON."""
        found: dict[str, Any] = as_moto_has_them(self)
        if found.get("RedrivePolicy"):
            found["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
        return found

    def create_version(self: Any, data: dict[str, Any], description: str) -> Any:
        """AWS keeps a template's own tags apart from those of what is launched with it."""
        specifications = data.get("TagSpecifications", [])
        kept = [each for each in specifications if each["ResourceType"] != "launch-template"]
        return make_version(self, {**data, "TagSpecifications": kept}, description)

    queue.attributes = property(attributes)
    launch_template.create_version = create_version


def main() -> None:
    amend(Queue, LaunchTemplate)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
