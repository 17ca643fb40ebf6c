use std::fs;

use super::*;
use crate::config::tests::environment;
use crate::store::Items;
use crate::store::tests::Folder;

const ONE: &str = "inbound_trunks: [{name: one, numbers: ['+1'], allowed_addresses: [192.0.2.1]}]\n\
                   dispatch_rules: [{rule: {dispatch_rule_callee: {}}}]\n";
const TWO: &str = "sip_port: 5070\ninbound_trunks: [{name: two, numbers: ['+2'], allowed_addresses: [192.0.2.1]}]\n";

/// A file, a store, and a reloader whose clock the test holds.
struct Bench {
    folder: Folder,
    reloader: Reloader,
    state: watch::Receiver<Status>,
    now: Instant,
}

impl Bench {
    async fn new() -> Self {
        Self::with(|folder| folder.path("trunkline.yaml")).await
    }

    /// With a file that may be a link; what it leads to is at `trunkline.yaml`.
    async fn with(path: impl FnOnce(&Folder) -> PathBuf) -> Self {
        let folder = Folder::new();
        fs::write(folder.path("trunkline.yaml"), ONE).unwrap();
        let loaded = Arc::new(load(ONE, &environment()).unwrap());
        let (store, _) = Store::open(Some(&folder.path("store.db")), loaded.snapshot.items()).unwrap();
        let (tell, state) = watch::channel(Status::default());
        let endpoint = sip::endpoint::Config::new(Vec::new(), [0; 32]);
        let (sip, _) = sip::net::bind(sip::net::Config::new(endpoint)).await.unwrap();
        let prompts = Arc::new(ArcSwap::from_pointee(Prompts::default()));
        let parts = Parts { store, sip, prompts, environment: environment(), status: tell };
        let path = path(&folder);
        let reloader = Reloader::new(Some(path), &loaded, parts);
        Self { folder, reloader, state, now: Instant::now() }
    }

    fn write(&self, text: &str) {
        fs::write(self.folder.path("trunkline.yaml"), text).unwrap();
    }

    /// So many looks, a second apart.
    fn look(&mut self, times: u32) {
        for _ in 0..times {
            self.now += INTERVAL;
            self.reloader.look(self.now);
        }
    }

    fn names(&self) -> Vec<String> {
        let trunks = &self.reloader.parts.store.snapshot().inbound_trunks;
        trunks.iter().map(|trunk| trunk.info.name.clone()).collect()
    }

    fn error(&self) -> String {
        self.state.borrow().configuration.error.clone().unwrap_or_default()
    }
}

#[tokio::test]
async fn what_stands_in_the_file_now_takes_effect() {
    let mut bench = Bench::new().await;
    bench.look(3);
    assert_eq!(bench.names(), ["one"]);
    bench.write(TWO);
    bench.look(1);
    assert_eq!(bench.names(), ["one"], "it may not be all");
    bench.look(1);
    assert_eq!(bench.names(), ["two"]);
    let state = bench.state.borrow().configuration.clone();
    assert!(state.loaded_at.is_some());
    assert_eq!((state.error, state.needs_restart.join(" ")), (None, "sip_port sip_port_listen".to_owned()));
}

#[tokio::test]
async fn a_bad_file_leaves_the_old_one_in_force_and_says_why() {
    let mut bench = Bench::new().await;
    let cases: &[(&str, &str, &str)] = &[
        ("an unknown key", "sip_port: 5060\ninbond_trunks: []", "line 2"),
        ("no YAML", "inbound_trunks: [", "YAML"),
        ("a trunk for everybody", "\n\ninbound_trunks: [{name: x}]", "line 3"),
        ("empty", "  \n", "it is empty"),
    ];
    for (name, text, said) in cases {
        bench.write(text);
        bench.look(3);
        assert_eq!(bench.names(), ["one"], "{name}");
        assert!(bench.error().contains(said), "{name}: {}", bench.error());
    }
    bench.write(ONE);
    bench.look(2);
    assert_eq!((bench.names(), bench.error().as_str()), (vec!["one".to_owned()], ""), "it is mended");
}

#[tokio::test]
async fn a_file_that_contradicts_the_api_is_not_taken() {
    let mut bench = Bench::new().await;
    let numbers = vec!["+2".to_owned()];
    let mut info = livekit_protocol::SipInboundTrunkInfo { name: "api".to_owned(), numbers, ..Default::default() };
    info.allowed_addresses.push("192.0.2.1".to_owned());
    bench.reloader.parts.store.create_inbound_trunk(info).unwrap();
    bench.write(TWO);
    bench.look(2);
    assert_eq!(bench.names(), ["one", "api"]);
    assert!(bench.error().contains("written by the API"), "{}", bench.error());
}

#[tokio::test]
async fn a_file_that_is_gone_is_missed_once_and_nothing_is_lost() {
    let mut bench = Bench::new().await;
    fs::remove_file(bench.folder.path("trunkline.yaml")).unwrap();
    bench.look(5);
    assert_eq!(bench.names(), ["one"]);
    assert!(bench.error().contains("cannot be read"), "{}", bench.error());
    bench.write(TWO);
    bench.look(2);
    assert_eq!((bench.names(), bench.error().as_str()), (vec!["two".to_owned()], ""));
}

#[tokio::test]
async fn a_link_that_is_turned_to_another_file_is_a_change() {
    let mut bench = Bench::with(|folder| {
        fs::create_dir(folder.path("v1")).unwrap();
        fs::create_dir(folder.path("v2")).unwrap();
        fs::write(folder.path("v1/trunkline.yaml"), ONE).unwrap();
        fs::write(folder.path("v2/trunkline.yaml"), TWO).unwrap();
        std::os::unix::fs::symlink("v1", folder.path("data")).unwrap();
        folder.path("data/trunkline.yaml")
    })
    .await;
    bench.look(3);
    assert_eq!(bench.names(), ["one"]);
    // As the kubelet does it: a new link, put in the place of the old one.
    std::os::unix::fs::symlink("v2", bench.folder.path("new")).unwrap();
    fs::rename(bench.folder.path("new"), bench.folder.path("data")).unwrap();
    bench.look(2);
    assert_eq!(bench.names(), ["two"]);
}

#[tokio::test]
async fn a_signal_does_not_wait_for_the_file_to_rest() {
    let mut bench = Bench::new().await;
    bench.write(TWO);
    bench.reloader.reload();
    assert_eq!(bench.names(), ["two"]);
    bench.write("nonsense: true");
    bench.reloader.reload();
    assert_eq!(bench.names(), ["two"]);
    assert!(bench.error().contains("nonsense"), "{}", bench.error());
}

#[test]
fn keys_that_wait_for_a_restart_are_named() {
    let loaded = |text: &str| load(text, &environment()).unwrap();
    let before = loaded("sip_port: 5060\nlogging: {level: info}");
    let cases: &[(&str, &[&str])] = &[
        ("sip_port: 5060", &[]),
        ("sip_port: 5061\nlogging: {level: debug}", &["logging.level", "sip_port", "sip_port_listen"]),
        ("inbound_trunks: [{numbers: ['1']}]", &[]),
        ("api_secret: another-secret-that-is-long-enough-to-sign", &["api_secret"]),
    ];
    for (text, keys) in cases {
        let mut changed = before.changed_keys(&loaded(text));
        changed.sort_unstable();
        assert_eq!(changed, *keys, "{text}");
    }
    let items: Items = before.snapshot.items();
    assert!(items == Items::default());
}

#[tokio::test]
async fn recordings_take_effect_and_a_file_that_is_none_does_not() {
    let mut bench = Bench::new().await;
    let path = bench.folder.path("music.wav");
    let heard = |bench: &Bench| bench.reloader.parts.prompts.load().hold().len();
    crate::wav::write(&path, &[1; 10]).unwrap();
    let text = format!("{ONE}prompts: {{hold: {}, nl: {{enter_pin: {}}}}}\n", path.display(), path.display());
    bench.write(&text);
    bench.look(3);
    assert_eq!((bench.error(), heard(&bench)), (String::new(), 10));
    assert!(bench.reloader.parts.prompts.load().has("nl", crate::call::pin::Prompt::EnterPin));
    assert_eq!(bench.state.borrow().configuration.needs_restart, [] as [String; 0]);
    // Another recording under the same name is heard when somebody says so.
    crate::wav::write(&path, &[1; 20]).unwrap();
    bench.reloader.reload();
    assert_eq!(heard(&bench), 20);
    fs::write(&path, "no sound").unwrap();
    bench.reloader.reload();
    assert!(bench.error().contains("prompts.hold"), "{}", bench.error());
    assert_eq!(heard(&bench), 20);
}
