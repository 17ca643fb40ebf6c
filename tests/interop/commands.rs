//! The commands that people try first: `trunkline call`, `trunkline join`, `trunkline check`.

use std::time::Duration;

use tests::audio;
use tests::bed::Bed;
use tests::need;
use tests::peers::gateway::{self, NUMBER, Setup};
use tests::process::Process;
use tests::scratch::Scratch;

const LIMIT: Duration = Duration::from_secs(40);

#[test]
fn a_call_to_an_echoing_participant_hears_itself() {
    let Some(bed) = Bed::new("command-echo", &Setup::room("hall"), &[]) else { return };
    let mut echo = gateway::command(&bed.livekit.url(), &["join", "hall", "--echo"]);
    let mut echo = Process::start("join", &mut echo, &bed.scratch);
    let tone = bed.scratch.path().join("tone.wav");
    audio::write(&tone, &audio::tone(440.0, -15.0, 8_000, 4.0), 8_000);
    let back = bed.scratch.path().join("back.wav");
    let uri = format!("sip:{NUMBER}@{}", bed.gateway.sip());
    let (play, record) = (tone.to_string_lossy(), back.to_string_lossy());
    let mut call =
        gateway::command(&bed.livekit.url(), &["call", &uri, "--play", &play, "--record", &record, "--expect-audio"]);
    let mut call = Process::start("call", &mut call, &bed.scratch);
    let ended = call.wait(LIMIT);
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}\n{}", call.output());
    let (samples, rate) = audio::read(&back).expect("the call was recorded");
    let heard = audio::measure(audio::loudest(&samples, rate, 1.0), rate);
    assert!(heard.is_tone(440.0, -15.0), "{heard:?}");
    assert!(!echo.is_over(), "the participant stays for the next caller:\n{}", echo.output());
}

#[test]
fn a_call_that_hears_nothing_says_so() {
    let mut setup = Setup::room("hall");
    setup.rules[0]["answer"] = "immediately".into();
    let Some(bed) = Bed::new("command-silence", &setup, &[]) else { return };
    let tone = bed.scratch.path().join("tone.wav");
    audio::write(&tone, &audio::tone(440.0, -15.0, 8_000, 2.0), 8_000);
    let play = tone.to_string_lossy();
    let uri = format!("sip:{NUMBER}@{}", bed.gateway.sip());
    let nobody = format!("sip:+15559999@{}", bed.gateway.sip());
    for (case, arguments, success) in [
        ("answered", vec!["call", &uri, "--play", &play], true),
        ("answered, but nobody speaks", vec!["call", &uri, "--play", &play, "--expect-audio"], false),
        ("a number of nobody", vec!["call", &nobody, "--play", &play], false),
    ] {
        let mut call = Process::start("call", &mut gateway::command(&bed.livekit.url(), &arguments), &bed.scratch);
        let ended = call.wait(LIMIT).unwrap_or_else(|| panic!("{case}: does not end:\n{}", call.output()));
        assert_eq!(ended.success(), success, "{case}: {ended}\n{}", call.output());
    }
}

#[test]
fn check_names_the_key_that_was_probably_meant() {
    if !need::all(&[]) {
        return;
    }
    let scratch = Scratch::new("command-check");
    let good =
        "ws_url: ws://127.0.0.1:7880\napi_key: devkey\napi_secret: a-secret-for-tests-of-at-least-32-characters\n";
    for (case, text, success, word) in [
        ("good", good.to_owned(), true, ""),
        ("misspelt", format!("{good}sip_prot: 5060\n"), false, "sip_port"),
        ("not a port", format!("{good}sip_port: many\n"), false, "sip_port"),
        ("not YAML", format!("{good}\t: [\n"), false, ""),
    ] {
        let file = scratch.write("trunkline.yaml", text);
        let mut command = gateway::command("", &["check", "--config", &file.to_string_lossy()]);
        command.env_remove("LIVEKIT_WS_URL").env_remove("LIVEKIT_API_KEY").env_remove("LIVEKIT_API_SECRET");
        let output = command.output().expect("the command runs");
        let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.success(), success, "{case}: {all}");
        assert!(all.contains(word), "{case}: {all}");
        assert!(!all.contains("a-secret-for-tests"), "{case}: secrets are not shown");
    }
}
