// LiveKit's server SDK for JavaScript, driven by JSON lines: {"do": "call", "method": "createSipParticipant", "arguments": […]}.

import { RoomServiceClient, SipClient, SipCallError } from "livekit-server-sdk";

import { serve } from "./lines.mjs";

const [url, key, secret] = process.argv.slice(2);
const sip = new SipClient(url, key, secret);
const rooms = new RoomServiceClient(url, key, secret);

// Messages know how to become JSON; what holds them does not.
const plain = (value) => (Array.isArray(value) ? value.map(plain) : (value?.toJson?.() ?? value));

const describe = (error) => ({
  class: error.constructor.name,
  is_sip: error instanceof SipCallError,
  message: error.message,
  code: error.code,
  status: error.status,
  sip_status_code: error.sipStatusCode,
  sip_status: error.sipStatus,
  metadata: error.metadata,
});

await serve(
  {
    call: async ({ method, arguments: values }) => plain(await sip[method](...values)),
    rooms: async () => (await rooms.listRooms()).map((room) => room.name),
  },
  describe,
);
process.exit(0);
