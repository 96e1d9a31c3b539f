"""A just-in-time config as GitHub's `generate-jitconfig` returns it."""

import base64
import json
import secrets
import uuid
from collections.abc import Mapping

_RSA_PARAMETERS = ("d", "dp", "dq", "exponent", "inverseQ", "modulus", "p", "q")


def encoded_jit_config(name: str, server_url: str, extra: Mapping[str, bytes] | None = None) -> str:
    """Base64 of a JSON object from file name to base64 of the file's content.

    Args:
        name: the runner's name.
        server_url: where the runner finds GitHub's service.
        extra: more files, or others under the known names; GitHub's runner writes any name it finds.
    """
    files = {
        ".runner": _json(_settings(name, server_url)),
        ".credentials": _json(_credentials(server_url)),
        ".credentials_rsaparams": _json({part: _random() for part in _RSA_PARAMETERS}),
        **(extra or {}),
    }
    encoded = {file: base64.b64encode(content).decode() for file, content in files.items()}
    return base64.b64encode(_json(encoded)).decode()


def secrets_inside(encoded: str) -> set[str]:
    """What must not be shown of it: each file's base64, and the values of the private key."""
    files: dict[str, str] = json.loads(base64.b64decode(encoded))
    found = {content for name, content in files.items() if name != ".runner"}
    key = json.loads(base64.b64decode(files.get(".credentials_rsaparams", "e30=")))
    return found | {value for part, value in key.items() if part in _RSA_PARAMETERS}


def _settings(name: str, server_url: str) -> dict[str, str]:
    # Unlike config.sh's own file: PascalCase, every value a string, no GitHubUrl, no byte order mark.
    return {
        "AgentId": "11",
        "AgentName": name,
        "DisableUpdate": "True",
        "Ephemeral": "True",
        "PoolId": "1",
        "PoolName": "Default",
        "ServerUrl": server_url,
        "ServerUrlV2": server_url,
        "UseV2Flow": "True",
        "WorkFolder": "_work",
    }


def _credentials(server_url: str) -> dict[str, object]:
    data = {
        "clientId": str(uuid.uuid4()),
        "authorizationUrl": f"{server_url}oauth2/token",
        "requireFipsCryptography": "True",
    }
    return {"scheme": "OAuth", "data": data}


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


def _random() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
