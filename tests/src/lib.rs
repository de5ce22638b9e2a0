//! What the end-to-end tests share: a real `ayni`, a temporary folder, and commands typed into it.
//!
//! Every node gets a free port and a folder of its own and is ended with the test, by its process
//! id. Nothing here waits for a fixed time: it waits for what it needs, and gives up after a bound.

pub mod sim;
pub mod world;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Longest that anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The program: the one that `AYNI_BIN` names, else built here, once for the whole run.
///
/// # Panics
/// Where it does not build.
#[must_use]
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(built) = std::env::var_os("AYNI_BIN") {
            return built.into();
        }
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "-p", "ayni-node", "--bin", "ayni"])
            .current_dir(root())
            .status()
            .expect("cargo runs");
        assert!(built.success(), "ayni does not build");
        // target/debug/deps/test-binary → target/debug/ayni
        let test = std::env::current_exe().expect("a test has a path");
        let profile = test.parent().and_then(Path::parent).expect("a test lies in deps");
        profile.join("ayni")
    })
}

/// The repository's root.
///
/// # Panics
/// Never: this package lies one folder below it.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent")
}

/// Calls `ready` until it gives something.
///
/// # Panics
/// After [`PATIENCE`], naming what was waited for.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// An address that nobody listens at.
///
/// # Panics
/// Where the machine has none left.
#[must_use]
pub fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").to_string()
}

/// A folder with a node's data, and commands over it.
pub struct Folder {
    /// Where everything of this test lies.
    pub home: tempfile::TempDir,
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Folder {
    /// An empty folder.
    ///
    /// # Panics
    /// Where none can be made.
    #[must_use]
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a temporary folder") }
    }

    /// The node's data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A command of the program, in this folder.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(self.home.path()).env("NO_COLOR", "1");
        for variable in ["AYNI_KEY", "AYNI_NODE", "AYNI_DATA", "AYNI_CONFIG", "AYNI_PASSWORD"] {
            command.env_remove(variable);
        }
        command
    }

    /// What a command prints and how it ends.
    ///
    /// # Panics
    /// Where it cannot be run.
    #[must_use]
    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("ayni runs")
    }

    /// What a command prints, which must succeed.
    ///
    /// # Panics
    /// Where it fails, with what it said.
    #[must_use]
    pub fn ayni(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ayni {arguments:?} failed: {said}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// What a command says, which must fail with exit code 1.
    ///
    /// # Panics
    /// Where it succeeds.
    #[must_use]
    pub fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert_eq!(output.status.code(), Some(1), "ayni {arguments:?} did not fail as it should");
        String::from_utf8_lossy(&output.stderr).trim_end().to_owned()
    }

    /// A command's JSON answer.
    ///
    /// # Panics
    /// Where it fails or prints no JSON.
    #[must_use]
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let text = self.ayni(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).expect("--json prints JSON")
    }

    /// Writes a file into the folder.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.home.path().join(name), text).expect("the folder is writable");
    }

    /// Starts a node on this folder.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Node {
        Node::start(self, self.command(&[&["run", "--listen", "127.0.0.1:0"], arguments].concat()))
    }

    /// Starts a node at an address of its own, which [`free_address`] gives.
    #[must_use]
    pub fn start_at(&self, address: &str, arguments: &[&str]) -> Node {
        Node::start(self, self.command(&[&["run", "--listen", address], arguments].concat()))
    }

    /// Starts a node from a line of shell, which ends with `exec "$0" "$@"`, or under variables.
    #[must_use]
    pub fn start_under(&self, shell: &str, variables: &[(&str, &Path)]) -> Node {
        let mut command = Command::new("sh");
        command.args(["-c", shell]).arg(program()).args(["run", "--listen", "127.0.0.1:0"]);
        command.current_dir(self.home.path()).env("NO_COLOR", "1");
        command.envs(variables.iter().copied());
        Node::start(self, command)
    }
}

/// A running node. It is ended with SIGKILL when this is dropped.
pub struct Node {
    process: Child,
    /// Its host and port.
    pub address: String,
}

impl Node {
    fn start(folder: &Folder, mut command: Command) -> Self {
        let recorded = folder.data().join("listen");
        let _ = std::fs::remove_file(&recorded);
        let log = std::fs::File::create(folder.home.path().join("node.log")).expect("a log file");
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("ayni runs");
        let address = wait_for("the node to listen", || {
            if let Ok(Some(status)) = process.try_wait() {
                let log = std::fs::read_to_string(folder.home.path().join("node.log"));
                panic!("the node ended with {status}: {}", log.unwrap_or_default());
            }
            let text = std::fs::read_to_string(&recorded).ok()?;
            let address = text.strip_suffix('\n')?.strip_prefix("ws://")?.to_owned();
            std::net::TcpStream::connect(&address).is_ok().then_some(address)
        });
        Self { process, address }
    }

    /// Its WebSocket address.
    #[must_use]
    pub fn ws(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// A view of its HTTP side.
    ///
    /// # Panics
    /// Where it does not answer with JSON.
    #[must_use]
    pub fn get(&self, path: &str) -> serde_json::Value {
        let text = self.text(path, "application/json");
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path} is no JSON: {text}"))
    }

    /// What it answers to a GET.
    ///
    /// # Panics
    /// Where it does not answer.
    #[must_use]
    pub fn text(&self, path: &str, accept: &str) -> String {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let agent: ureq::Agent = config.into();
        let url = format!("http://{}{path}", self.address);
        let mut answer = agent.get(&url).header("Accept", accept).call().expect("the node answers");
        answer.body_mut().read_to_string().expect("the answer is text")
    }

    /// The digest of its book.
    #[must_use]
    pub fn digest(&self) -> String {
        self.get("/api/v1/digest")["digest"].as_str().unwrap_or_default().to_owned()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as a power cut would.
    ///
    /// # Panics
    /// Where it cannot be ended.
    pub fn kill(mut self) {
        self.process.kill().expect("SIGKILL");
        self.process.wait().expect("it is ended");
    }

    /// Waits until it ends by itself; its exit code.
    ///
    /// # Panics
    /// Where it does not end.
    #[must_use]
    pub fn ended(mut self) -> Option<i32> {
        wait_for("the node to end", || self.process.try_wait().ok().flatten()).code()
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Panics
    /// Where it does not end well.
    pub fn stop(mut self) {
        let asked = Command::new("kill").arg(self.process.id().to_string()).status();
        assert!(asked.is_ok_and(|status| status.success()), "kill runs");
        let status = wait_for("the node to stop", || self.process.try_wait().ok().flatten());
        assert!(status.success(), "the node stopped with {status}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A small community on a running node: members by name, each with a key file `NAME.key`.
pub struct Village {
    /// Where it lies.
    pub folder: Folder,
    /// Its node.
    pub node: Node,
}

impl Village {
    /// Founds one over a local test chain, with timings of seconds, and opens accounts.
    #[must_use]
    pub fn with_members(names: &[&str]) -> Self {
        let folder = Folder::new();
        let _ = folder.ayni(&[
            "init",
            "--name",
            "Vale do Sol",
            "--country",
            "PT",
            "--insecure-test-chain",
        ]);
        folder.write("ayni.toml", "[beacon]\ninsecure_test_chain = true\nsources = []\n\n[raffle.gates.PT]\nallowed = true\n");
        let node = folder.start(&[]);
        let village = Self { folder, node };
        for name in names {
            village.open(name);
        }
        village
    }

    /// Makes a key and opens an account under a short name.
    pub fn open(&self, name: &str) {
        let file = format!("{name}.key");
        let npub = self.folder.ayni(&["key", "new", &file]);
        let _ = self.folder.ayni(&["member", "add", &npub, "--name", name]);
    }

    /// What a command prints, which must succeed.
    #[must_use]
    pub fn ayni(&self, arguments: &[&str]) -> String {
        self.folder.ayni(arguments)
    }

    /// A command's JSON answer.
    #[must_use]
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        self.folder.json(arguments)
    }

    /// What a refused command says.
    #[must_use]
    pub fn refusal(&self, arguments: &[&str]) -> String {
        self.folder.refusal(arguments)
    }

    /// Somebody's balance, as text.
    #[must_use]
    pub fn balance(&self, name: &str) -> String {
        self.json(&["balance", name])["balance"].as_str().unwrap_or_default().to_owned()
    }
}
