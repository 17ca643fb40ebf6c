"""LiveKit's server SDK for Python, driven by JSON lines: {"id": 1, "do": "call", "method": "create_sip_participant", …}.

The field `request` holds the protobuf message as JSON, in whose table the method has its type.
"""

import asyncio
import json
import os
import sys
import time

from google.protobuf import json_format
from livekit import api

REQUESTS = {
    "create_inbound_trunk": api.CreateSIPInboundTrunkRequest,
    "create_outbound_trunk": api.CreateSIPOutboundTrunkRequest,
    "create_dispatch_rule": api.CreateSIPDispatchRuleRequest,
    "list_inbound_trunk": api.ListSIPInboundTrunkRequest,
    "list_outbound_trunk": api.ListSIPOutboundTrunkRequest,
    "list_dispatch_rule": api.ListSIPDispatchRuleRequest,
    "delete_trunk": api.DeleteSIPTrunkRequest,
    "delete_dispatch_rule": api.DeleteSIPDispatchRuleRequest,
    "create_sip_participant": api.CreateSIPParticipantRequest,
    "transfer_sip_participant": api.TransferSIPParticipantRequest,
}


def tell(event, **fields):
    print(json.dumps({"event": event, "at": time.time(), **fields}), flush=True)


def describe(error):
    if not isinstance(error, api.TwirpError):
        return {"class": type(error).__name__, "message": str(error)}
    told = {
        "class": type(error).__name__,
        "is_sip": isinstance(error, api.SipCallError),
        "message": error.message,
        "code": error.code,
        "status": error.status,
        "metadata": error.metadata,
    }
    if told["is_sip"]:
        told.update(
            sip_status_code=error.sip_status_code,
            sip_status=error.sip_status,
            sip_transfer_reason=error.sip_transfer_reason,
            sip_transfer_id=error.sip_transfer_id,
        )
    return told


class Sdk:
    def __init__(self, server):
        self.server = server

    async def do_call(self, method, request):
        message = json_format.ParseDict(request, REQUESTS[method]())
        answer = await getattr(self.server.sip, method)(message)
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)

    async def do_update_inbound_fields(self, trunk_id, **fields):
        """The SDK's own form of a partial update."""
        if "numbers" in fields:
            fields["numbers"] = json_format.ParseDict(fields["numbers"], api.ListUpdate())
        answer = await self.server.sip.update_inbound_trunk_fields(trunk_id, **fields)
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)

    async def do_replace_inbound(self, trunk_id, trunk):
        message = json_format.ParseDict(trunk, api.SIPInboundTrunkInfo())
        answer = await self.server.sip.update_inbound_trunk(trunk_id, message)
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)

    async def do_rooms(self):
        found = await self.server.room.list_rooms(api.ListRoomsRequest())
        return [room.name for room in found.rooms]

    async def do_move(self, room, identity, destination):
        request = api.MoveParticipantRequest(room=room, identity=identity, destination_room=destination)
        await self.server.room.move_participant(request)

    async def answer(self, number, do, command):
        try:
            tell("reply", id=number, value=await getattr(self, f"do_{do}")(**command))
        except Exception as error:
            tell("reply", id=number, error=describe(error))


async def main(url, key, secret):
    sdk = Sdk(api.LiveKitAPI(url.replace("ws", "http", 1), key, secret))
    loop = asyncio.get_running_loop()
    tell("ready")
    tasks = set()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        # One that takes long, as dialling does, holds up no other.
        task = asyncio.ensure_future(sdk.answer(command.pop("id"), command.pop("do"), command))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
