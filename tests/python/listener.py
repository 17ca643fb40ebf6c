"""The far end of the room: LiveKit's own client, driven by JSON lines.

Reads commands from stdin, {"id": 1, "do": "join", "room": "r", ...}, answers each with {"event": "reply", "id": 1, ...},
and tells what it sees and hears in lines of the same kind: participant, left, attributes, published, sound, heard, dtmf,
disconnected. Levels are in dBFS of the root mean square (a full-scale sine is -3), pitches in Hz.
"""

import asyncio
import json
import math
import os
import sys
import time

import numpy as np
from livekit import api, rtc

RATE = 48000
BLOCK = RATE // 50  # 20 ms
WINDOW = RATE // 2
SOUND = -50.0  # dBFS from which on a block counts as sound


def tell(event, **fields):
    print(json.dumps({"event": event, "at": time.time(), **fields}), flush=True)


def level(pcm):
    rms = math.sqrt(float(np.mean(pcm.astype(np.float64) ** 2))) / 32768
    return 20 * math.log10(max(rms, 1e-6))


def pitch(pcm):
    """The strongest frequency, refined between the bins, and the share of all power that is at it."""
    windowed = pcm.astype(np.float64) * np.hanning(len(pcm))
    power = np.abs(np.fft.rfft(windowed)) ** 2
    peak = int(np.argmax(power[2:-2])) + 2
    left, middle, right = np.log(power[peak - 1 : peak + 2] + 1e-9)
    bend = left - 2 * middle + right
    offset = 0.5 * (left - right) / bend if bend else 0.0
    share = float(power[peak - 2 : peak + 3].sum() / max(power.sum(), 1e-9))
    return (peak + offset) * RATE / len(pcm), share


def describe(participant):
    return {
        "identity": participant.identity,
        "sid": participant.sid,
        "name": participant.name,
        "kind": rtc.ParticipantKind.Name(participant.kind).removeprefix("PARTICIPANT_KIND_"),
        "metadata": participant.metadata,
        "attributes": dict(participant.attributes),
    }


class Ear:
    """Measures one remote track: half a second at a time, and every change between sound and silence, with the milliseconds
    that what was before it has lasted."""

    def __init__(self, identity, track):
        self.identity, self.track = identity, track
        self.task = asyncio.ensure_future(self.listen())

    async def listen(self):
        sounding, lasted, window, quietest = False, 0, np.zeros(0, np.int16), 0.0
        rest = np.zeros(0, np.int16)
        async for event in rtc.AudioStream(self.track, sample_rate=RATE, num_channels=1, frame_size_ms=20):
            rest = np.concatenate([rest, np.frombuffer(event.frame.data, np.int16)])
            while len(rest) >= BLOCK:
                block, rest = rest[:BLOCK], rest[BLOCK:]
                if (level(block) > SOUND) != sounding:
                    sounding = not sounding
                    tell("sound", identity=self.identity, on=sounding, lasted=lasted)
                    lasted = 0
                lasted += 20
                window, quietest = np.concatenate([window, block]), min(quietest, level(block))
            if len(window) >= WINDOW:
                hz, share = pitch(window)
                tell("heard", identity=self.identity, pitch=hz, share=share, level=level(window), quietest=quietest)
                window, quietest = np.zeros(0, np.int16), 0.0

    async def losses(self):
        for entry in await self.track.get_stats():
            if entry.WhichOneof("stats") == "inbound_rtp":
                received = entry.inbound_rtp.received
                return {"received": received.packets_received, "lost": received.packets_lost}
        return {"received": 0, "lost": 0}


class Recorder:
    """Writes one remote track into a file, 8 kHz, 16 bits."""

    def __init__(self, track, file):
        self.task = asyncio.ensure_future(self.write(track, file))

    async def write(self, track, file):
        with open(file, "wb") as out:
            async for event in rtc.AudioStream(track, sample_rate=8000, num_channels=1):
                out.write(bytes(event.frame.data))
                out.flush()


class Listener:
    def __init__(self, url, key, secret):
        self.url, self.key, self.secret = url, key, secret
        self.server = None
        self.room = None
        self.ears = {}
        self.tone = None
        self.source = None
        self.recorder = None
        self.voice = None

    def token(self, room, identity, name):
        grants = api.VideoGrants(room_join=True, room=room)
        return api.AccessToken(self.key, self.secret).with_identity(identity).with_name(name).with_grants(grants).to_jwt()

    async def do_join(self, room, identity="far-end", tone=None, dbfs=-15.0, within=0.0):
        """Joins, trying again for `within` seconds; plays a tone when one is given."""
        give_up = time.time() + within
        while True:
            self.room = rtc.Room()
            self.watch(self.room)
            try:
                await self.room.connect(self.url, self.token(room, identity, "Far end"), rtc.RoomOptions(auto_subscribe=True))
                break
            except Exception:
                if time.time() > give_up:
                    raise
                await asyncio.sleep(0.05)
        present = [describe(p) for p in self.room.remote_participants.values()]
        for participant in present:
            tell("participant", **participant)
        if tone:
            await self.do_tone(tone, dbfs)
        return present

    async def do_tone(self, hz, dbfs=-15.0):
        source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        self.source = source
        track = rtc.LocalAudioTrack.create_audio_track("voice", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        await self.room.local_participant.publish_track(track, options)
        self.tone = asyncio.ensure_future(self.play(source, hz, dbfs))

    async def play(self, source, hz, dbfs):
        # One second of a whole number of hertz repeats without a seam.
        amplitude, n = 32768 * 10 ** (dbfs / 20) * math.sqrt(2), RATE // 100
        wave = (np.sin(2 * np.pi * round(hz) * np.arange(RATE) / RATE) * amplitude).astype(np.int16)
        frames = [rtc.AudioFrame(part.tobytes(), RATE, 1, n) for part in wave.reshape(-1, n)]
        while True:
            for frame in frames:
                await source.capture_frame(frame)

    async def do_last_word(self, hz, seconds, identity, payload="", dbfs=-15.0):
        """Says a tone of that length in place of the one before, and has the phone hung up as soon as it is out."""
        self.tone.cancel()
        await self.source.wait_for_playout()
        n = RATE // 100
        wave = np.sin(2 * np.pi * hz * np.arange(int(RATE * seconds)) / RATE) * 32768 * 10 ** (dbfs / 20) * math.sqrt(2)
        for start in range(0, len(wave), n):
            block = wave[start : start + n].astype(np.int16).tobytes()
            await self.source.capture_frame(rtc.AudioFrame(block, RATE, 1, n))
        await self.source.wait_for_playout()
        return await self.do_rpc(identity, "lk.sip.EndCall", payload)

    async def do_speak(self, file, rate=16000, dtx=False):
        """Says a file of 16 bits without a header, once; what was said before is over."""
        if not self.voice:
            self.voice = rtc.AudioSource(rate, 1, queue_size_ms=200)
            track = rtc.LocalAudioTrack.create_audio_track("voice", self.voice)
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=dtx)
            await self.room.local_participant.publish_track(track, options)
        samples = np.fromfile(file, "<i2")
        for at in range(0, len(samples) - rate // 100 + 1, rate // 100):
            part = samples[at : at + rate // 100]
            await self.voice.capture_frame(rtc.AudioFrame(part.tobytes(), rate, 1, len(part)))
        await self.voice.wait_for_playout()

    async def do_record(self, identity, file):
        """Records a participant from here on, or nobody any more when no file is named."""
        if self.recorder:
            self.recorder.task.cancel()
        self.recorder = Recorder(self.ears[identity].track, file) if file else None

    async def do_leave(self):
        if self.tone:
            self.tone.cancel()
        for ear in self.ears.values():
            ear.task.cancel()
        self.ears.clear()
        self.voice = None
        await self.room.disconnect()

    async def do_dtmf(self, digits):
        codes = "0123456789*#ABCD"
        for digit in digits:
            await self.room.local_participant.publish_dtmf(code=codes.index(digit), digit=digit)

    async def do_press(self, digits):
        """All in one packet."""
        await self.room.local_participant.publish_dtmf(code=0, digit=digits)

    async def do_rpc(self, identity, method, payload="", timeout=15.0):
        """The result of a procedure of a participant, or {"code": …, "message": …}."""
        call = self.room.local_participant.perform_rpc(
            destination_identity=identity, method=method, payload=payload, response_timeout=timeout
        )
        try:
            return {"payload": await call}
        except rtc.RpcError as error:
            return {"code": int(error.code), "message": error.message}

    async def do_losses(self, identity):
        return await self.ears[identity].losses()

    async def do_remove(self, room, identity):
        await self.server.room.remove_participant(api.RoomParticipantIdentity(room=room, identity=identity))

    async def do_delete(self, room):
        await self.server.room.delete_room(api.DeleteRoomRequest(room=room))

    async def do_mute(self, room, identity, muted=True):
        who = await self.server.room.get_participant(api.RoomParticipantIdentity(room=room, identity=identity))
        request = api.MuteRoomTrackRequest(room=room, identity=identity, track_sid=who.tracks[0].sid, muted=muted)
        await self.server.room.mute_published_track(request)

    async def do_participants(self, room):
        """What the server itself knows of a room."""
        found = await self.server.room.list_participants(api.ListParticipantsRequest(room=room))
        return [self.seen_by_server(p) for p in found.participants]

    def seen_by_server(self, p):
        kind = api.ParticipantInfo.Kind.Name(p.kind)
        tracks = [
            {
                "name": t.name,
                "source": api.TrackSource.Name(t.source),
                "type": api.TrackType.Name(t.type),
                "mime_type": t.mime_type,
                "muted": t.muted,
                "stereo": t.stereo,
                "disable_dtx": t.disable_dtx,
                "disable_red": t.disable_red,
            }
            for t in p.tracks
        ]
        names = ("can_subscribe", "can_publish", "can_publish_data", "hidden", "recorder", "can_update_metadata", "agent")
        permission = {name: getattr(p.permission, name) for name in names}
        return {
            "identity": p.identity,
            "name": p.name,
            "kind": kind,
            "metadata": p.metadata,
            "attributes": dict(p.attributes),
            "tracks": tracks,
            "permission": permission,
        }

    async def do_rooms(self):
        found = await self.server.room.list_rooms(api.ListRoomsRequest())
        return [{"name": r.name, "metadata": r.metadata, "participants": r.num_participants} for r in found.rooms]

    def watch(self, room):
        @room.on("participant_connected")
        def _(p):
            tell("participant", **describe(p))

        @room.on("participant_disconnected")
        def _(p):
            tell("left", identity=p.identity, attributes=dict(p.attributes))

        @room.on("participant_attributes_changed")
        def _(changed, p):
            tell("attributes", identity=p.identity, changed=dict(changed), attributes=dict(p.attributes))

        @room.on("track_published")
        def _(pub, p):
            tell("published", identity=p.identity, sid=pub.sid, name=pub.name, source=rtc.TrackSource.Name(pub.source))

        @room.on("track_subscribed")
        def _(track, pub, p):
            if track.kind == rtc.TrackKind.KIND_AUDIO:
                if p.identity in self.ears:
                    self.ears[p.identity].task.cancel()
                self.ears[p.identity] = Ear(p.identity, track)

        @room.on("track_muted")
        def _(p, pub):
            tell("muted", identity=p.identity, muted=True)

        @room.on("track_unmuted")
        def _(p, pub):
            tell("muted", identity=p.identity, muted=False)

        @room.on("sip_dtmf_received")
        def _(d):
            tell("dtmf", digit=d.digit, code=d.code, identity=d.participant.identity if d.participant else None)

        @room.on("disconnected")
        def _(reason):
            tell("disconnected", reason=str(reason))

    async def serve(self):
        self.server = api.LiveKitAPI(self.url.replace("ws", "http", 1), self.key, self.secret)
        loop = asyncio.get_running_loop()
        tell("ready")
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            command = json.loads(line)
            number, do = command.pop("id"), command.pop("do")
            try:
                tell("reply", id=number, value=await getattr(self, f"do_{do}")(**command))
            except Exception as error:
                tell("reply", id=number, error=repr(error))
        # The client's own threads outlive the loop; nothing is left to say.
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(Listener(*sys.argv[1:4]).serve())
