"""What a program does with the package `oras` and a registry. Arguments: the registry, and a key."""

import os
import sys

import oras.client

registry, key = sys.argv[1:]
with open("data.bin", "rb") as file:
    data = file.read()

# With tokens it asks for one to look whether a blob is there, and never for another one to send it with.
client = oras.client.OrasClient(hostname=registry, insecure=True, auth_backend="basic")
client.login(hostname=registry, username="keeper", password=key, config_path=os.path.abspath("config.json"))
for name, chunked in [("whole", False), ("chunked", True)]:
    target = f"{registry}/bank/oras/{name}:v1"
    answer = client.push(target=target, files=["data.bin"], do_chunked=chunked, chunk_size=100_000, quiet=True)
    assert answer.status_code == 201, answer.text
    assert client.get_tags(f"{registry}/bank/oras/{name}") == ["v1"]
    (pulled,) = client.pull(target=target, outdir=f"pulled-{name}")
    with open(pulled, "rb") as file:
        assert file.read() == data, name
    assert client.delete_tags(f"{registry}/bank/oras/{name}", ["v1"]) == ["v1"]
    assert client.get_tags(f"{registry}/bank/oras/{name}") == []
print("done")
