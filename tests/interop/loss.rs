//! Speech and keys while packets are lost: on virtual time with fixed seeds, and among real peers.
//!
//! What is asked for is the median over clips of real speech, by ITU-T P.862 for telephone band, where 4.4 is what G.711 alone
//! leaves. `TRUNKLINE_QUALITY=all` tries all losses among real peers, and longer; `script/quality` does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tests::bed::{self, Bed};
use tests::need::Need;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::impair::{self, Impair, Loss};
use tests::peers::judge::{self, Score};
use tests::peers::phone::Phone;

const ROOM: &str = "loss";
const CALLER: &str = "sip_+15550199";
const LIMIT: Duration = Duration::from_secs(20);
const KEYS: &str = "0123456789*#";
/// The share of the participant's own packets that is lost where its redundancy is to be tried.
const OF_PARTICIPANT: f64 = 0.02;
/// The packets of a row, on average.
const ROW: f64 = 3.0;

/// What is said before and after the loss.
const CONTROL: &str = "nothing-lost";
/// The least score of that on a machine that is not too busy.
const UNDISTURBED: f64 = 4.0;

/// A group, the original, and what was heard of it.
type Pair = (String, PathBuf, PathBuf);

/// The least median of each way of `media/examples/lossy.rs`. The others are printed only.
const AT_LEAST: &[(&str, f64)] = &[
    ("carrier-3", 3.6),
    ("carrier-5", 3.2),
    ("carrier-10", 2.5),
    ("carrier-3-rows", 3.6),
    ("carrier-5-rows", 3.2),
    ("carrier-10-rows", 2.5),
    ("room-5", 3.4),
    ("room-10", 2.6),
    ("room-fec-5", 4.1),
    ("room-fec-10", 3.9),
    ("room-red-10", 4.2),
    ("room-red-one-10", 4.0),
    ("subscriber-fec-5", 4.1),
    ("subscriber-fec-10", 3.9),
];

#[test]
fn speech_survives_loss_on_virtual_time() {
    let Some((scratch, _turn)) = bed::prepare_alone("quality", &[Need::Speech]) else { return };
    let out = scratch.path().join("heard");
    let run = Command::new(lossy()).arg(Need::Speech.expect()).arg(&out).output().expect("it was built");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut pairs = Vec::new();
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in String::from_utf8_lossy(&run.stdout).lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [way, file, sent, lost, _concealed, _recovered, drift] = fields[..] else { panic!("{line}") };
        assert_eq!(drift, "0", "what was heard is as long as what was said: {line}");
        let sum = sums.entry(way.to_owned()).or_default();
        *sum = (sum.0 + sent.parse::<u64>().expect("a count"), sum.1 + lost.parse::<u64>().expect("a count"));
        let (clip, _seed) = file.rsplit_once('-').expect("a clip and a seed");
        let original = if way.starts_with("room") { "reference" } else { "narrow" };
        let original = Need::Speech.expect().join(original).join(format!("{clip}.s16"));
        pairs.push((way.to_owned(), original, out.join(way).join(format!("{file}.s16"))));
    }
    let scores = judge::judge(&pairs);
    for score in &scores {
        score.show(sums[&score.group]);
    }
    for (way, least) in AT_LEAST {
        let score = scores.iter().find(|score| score.group == *way).expect("every way was gone");
        assert!(score.median >= *least, "{way}: {score:?}, and {least} is asked for");
    }
}

/// The carrier's packets are lost, both ways: what the room hears of the phone, and keys both ways.
#[test]
fn speech_and_keys_survive_loss_of_the_carrier() {
    if !impair::apart("loss::speech_and_keys_survive_loss_of_the_carrier") {
        return;
    }
    let clips = some(&judge::clips("narrow"));
    for (loss, least) in losses([(3, 3.6), (5, 3.2), (10, 2.5)]) {
        let Some(mut call) = Call::new(|bed| bed.gateway.rtp()) else { return };
        let group = format!("carrier-{}", loss.name());
        let mut pairs = call.phone_says(CONTROL, &clips[..1], "before");
        call.impair.lose(&Loss { of_participants: 0.0, ..loss });
        pairs.extend(call.phone_says(&group, &clips, "lossy"));
        call.press_keys();
        let counts = call.impair.lose(&Loss::default());
        pairs.extend(call.phone_says(CONTROL, &clips[..1], "after"));
        expect(&judge::judge(&pairs), &group, counts, least);
    }
}

/// The packets between us and the LiveKit server are lost, both ways: what the phone hears of the room, and keys both ways. A few
/// of the participant's are lost as well, for only then it codes redundancy; the server passes it on.
#[test]
fn speech_and_keys_survive_loss_of_the_room() {
    if !impair::apart("loss::speech_and_keys_survive_loss_of_the_room") {
        return;
    }
    let clips = judge::clips("wide");
    for (loss, least) in losses([(3, 4.1), (5, 4.1), (10, 3.9)]) {
        let Some(mut call) = Call::new(|bed| bed.livekit.media()) else { return };
        call.phone.rtp.start(call.media, None);
        let group = format!("room-red-{}", loss.name());
        let mut pairs = call.room_says(CONTROL, &clips[..1], "before");
        call.impair.lose(&loss);
        // By this all learn of the loss.
        call.room_says(&group, &clips[..1], "learning");
        pairs.extend(call.room_says(&group, &clips, "lossy"));
        call.press_keys();
        let counts = call.impair.lose(&Loss::default());
        pairs.extend(call.room_says(CONTROL, &clips[..1], "after"));
        expect(&judge::judge(&pairs), &group, counts, least);
    }
}

/// A call that stands, in a network that loses nothing yet.
struct Call {
    phone: Phone,
    media: std::net::SocketAddr,
    impair: Impair,
    bed: Bed,
}

impl Call {
    fn new(ports: impl FnOnce(&Bed) -> std::ops::RangeInclusive<u16>) -> Option<Self> {
        let mut bed = Bed::new("loss", &Setup::room(ROOM).with("answer", json!("on_participant")), &[Need::Speech])?;
        let impair = Impair::start(&ports(&bed), 1, &bed.scratch);
        bed.listener.join_silently(ROOM);
        let mut phone = Phone::new(bed.gateway.sip());
        let answer = phone.call_and_talk(NUMBER, 440.0);
        let media = answer.media().expect("the answer says where its media is");
        bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
        Some(Self { phone, media, impair, bed })
    }

    /// The phone says clips, a second apart; the room hears them.
    fn phone_says(&mut self, group: &str, clips: &[PathBuf], name: &str) -> Vec<Pair> {
        let file = self.bed.scratch.path().join(format!("{name}.s16"));
        self.bed.listener.tell("record", json!({"identity": CALLER, "file": file}));
        let mut said = vec![0; 8_000];
        for clip in clips {
            said.extend(judge::read(clip));
            said.extend([0; 8_000]);
        }
        let length = Duration::from_millis(said.len() as u64 / 8 + 500);
        said.extend([0; 80_000]);
        self.phone.rtp.play(self.media, said);
        std::thread::sleep(length);
        self.phone.rtp.start(self.media, None);
        self.bed.listener.tell("record", json!({"identity": CALLER, "file": null}));
        clips.iter().map(|clip| (group.to_owned(), clip.clone(), file.clone())).collect()
    }

    /// A participant says clips, a second apart; the phone hears them.
    fn room_says(&mut self, group: &str, clips: &[PathBuf], name: &str) -> Vec<Pair> {
        self.phone.rtp.forget();
        for clip in clips {
            let number = self.bed.listener.begin("speak", json!({"file": clip}));
            self.bed.listener.finish(number, 2 * LIMIT).expect("a clip is spoken");
            std::thread::sleep(Duration::from_secs(1));
        }
        let heard = judge::bytes(&self.phone.rtp.heard().samples);
        let file = self.bed.scratch.write(&format!("{name}.s16"), heard);
        let reference = Need::Speech.expect().join("reference");
        let original = |clip: &PathBuf| reference.join(clip.file_name().expect("a clip has a name"));
        clips.iter().map(|clip| (group.to_owned(), original(clip), file.clone())).collect()
    }

    /// Every key, from either side: each arrives, in its order, once.
    fn press_keys(&mut self) {
        self.bed.listener.forget();
        self.phone.rtp.forget();
        for key in KEYS.chars() {
            let event = "0123456789*#".find(key).expect("a key");
            self.phone.rtp.press(self.media, event as u8);
            std::thread::sleep(Duration::from_millis(100));
        }
        self.bed.listener.tell("dtmf", json!({"digits": KEYS}));
        let arrived = || self.phone.rtp.heard().digits().len() >= KEYS.len();
        tests::within(LIMIT, arrived);
        // Time for those that should not come.
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(self.phone.rtp.heard().digits(), KEYS, "pressed by the room, heard by the phone");
        let told = self.bed.listener.seen().iter().filter(|event| event.kind() == "dtmf");
        let told: String = told.map(|event| event.text("digit").to_owned()).collect();
        assert_eq!(told, KEYS, "pressed by the phone, told to the room");
    }
}

/// The greatest loss, or all of them: each by itself, and in rows. How much of speech is promised where losses do not depend on
/// each other; of rows, which are longer than what is repeated of a packet, keys alone are.
fn losses(promised: [(u32, f64); 3]) -> Vec<(Loss, f64)> {
    let loss = |percent, row| Loss { share: f64::from(percent) / 100.0, of_participants: OF_PARTICIPANT, row };
    let alone = promised.map(|(percent, least)| (loss(percent, None), least));
    if !is_thorough() {
        return alone[2..].to_vec();
    }
    alone.into_iter().chain(promised.map(|(percent, _)| (loss(percent, Some(ROW)), 0.0))).collect()
}

/// A few clips of different voices, or twice as many.
fn some(clips: &[PathBuf]) -> Vec<PathBuf> {
    let wanted = if is_thorough() { 8 } else { 4 };
    let step = (clips.len() / wanted).max(1);
    clips.iter().step_by(step).take(wanted).cloned().collect()
}

fn is_thorough() -> bool {
    std::env::var("TRUNKLINE_QUALITY").is_ok_and(|wish| wish == "all")
}

/// Judges by the median. On a machine that is too busy speech breaks off with nothing lost, and what loss does is not to be told
/// from that: then only the thorough run fails.
#[track_caller]
fn expect(scores: &[Score], group: &str, counts: (u64, u64), least: f64) {
    let find = |name: &str| scores.iter().find(|score| score.group == name).expect("it was judged");
    let (score, control) = (find(group), find(CONTROL));
    control.show((0, 0));
    score.show(counts);
    let is_busy = control.least < UNDISTURBED;
    assert!(score.median >= least || (is_busy && !is_thorough()), "{score:?}, and {least} is asked for; {control:?}");
}

/// The program that loses packets on virtual time, built if it is not up to date.
fn lossy() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let profile = test.ancestors().nth(2).expect("tests lie in PROFILE/deps");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(tests::root()).args(["build", "--quiet", "--package", "media", "--example", "lossy"]);
    command.arg("--target-dir").arg(profile.parent().expect("the profile's folder lies in the target folder"));
    if profile.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    assert!(command.status().is_ok_and(|status| status.success()), "the program builds");
    profile.join("examples/lossy")
}
