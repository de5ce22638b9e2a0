//! The sources as the rules see them: comments and strings blanked, tests told apart from code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One file of one room.
pub struct Source {
    /// The room's folder, such as `lets`.
    pub room: String,
    /// Path from the root of the repository.
    pub path: String,
    /// What the compiler sees outside tests: comments, strings and tests are blanks, lines stay.
    pub code: String,
    /// The file as it is written, outside tests.
    pub written: String,
    /// The tests as they are written, doc comments included.
    pub tests: String,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every source file under the `src` folders of these rooms, and the tests beside them.
pub fn sources(rooms: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for room in rooms {
        let mut paths = Vec::new();
        collect(&root().join(room).join("src"), &mut paths);
        let texts: Vec<_> =
            paths.iter().map(|path| (path, fs::read_to_string(path).unwrap())).collect();
        let test_only: BTreeSet<PathBuf> =
            texts.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
        for (path, text) in &texts {
            let is_test =
                test_only.iter().any(|stem| path.starts_with(stem) || is_file(path, stem));
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            found.push(if is_test { all_test(room, name, text) } else { split(room, name, text) });
        }
        found.extend(tests_beside(room));
    }
    found
}

/// The files of a room's `tests` folder.
fn tests_beside(room: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join(room).join("tests"), &mut paths);
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        all_test(room, name, &fs::read_to_string(path).unwrap())
    };
    paths.iter().map(read).collect()
}

/// The words (identifiers and keywords) of blanked code, each with its line, counted from 1.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().flat_map(|(line, text)| {
        text.split(|c: char| !is_word(c))
            .filter(|word| !word.is_empty())
            .map(move |w| (line + 1, w))
    })
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text with every comment, string and character literal replaced by blanks.
pub fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = out.chars().next_back().is_some_and(is_word);
        let literal = comment(rest)
            .or_else(|| if after_word { None } else { string(rest) })
            .or_else(|| character(rest));
        let taken = literal.unwrap_or(first.len_utf8());
        let (now, later) = rest.split_at(taken);
        if literal.is_some() {
            out.extend(now.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            out.push(first);
        }
        rest = later;
    }
    out
}

/// Splits a file into code and the items under `#[cfg(test)]`.
pub fn split(room: &str, path: String, text: &str) -> Source {
    let code = blank(text);
    let (mut outside, mut written, mut tests) = (String::new(), String::new(), String::new());
    let (code_lines, lines): (Vec<_>, Vec<_>) = (code.lines().collect(), text.lines().collect());
    let mut at = 0;
    while at < lines.len() {
        let length = if code_lines[at].trim() == "#[cfg(test)]" {
            item_length(&code_lines[at..])
        } else {
            0
        };
        if length == 0 {
            outside.push_str(code_lines[at]);
            written.push_str(lines[at]);
            at += 1;
        } else {
            tests.push_str(&lines[at..at + length].join("\n"));
            // Line numbers stay; the file's length is counted from `written`, which loses them.
            outside.push_str(&"\n".repeat(length - 1));
            at += length;
        }
        outside.push('\n');
        written.push('\n');
        tests.push('\n');
    }
    Source { room: room.to_owned(), path, code: outside, written, tests }
}

fn all_test(room: &str, path: String, text: &str) -> Source {
    let (code, written) = (String::new(), String::new());
    Source { room: room.to_owned(), path, code, written, tests: text.to_owned() }
}

/// Lines of the item that starts here: up to its `;`, or to the end of its braces.
fn item_length(lines: &[&str]) -> usize {
    let mut depth = 0_usize;
    for (number, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && (c == '}' || c == ';') {
                return number + 1;
            }
        }
    }
    lines.len()
}

/// Where `#[cfg(test)] mod name;` of this file points, without extension.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let folder = path.parent().unwrap();
    let folder = if ["lib", "main", "mod"].contains(&stem) {
        folder.to_path_buf()
    } else {
        folder.join(stem)
    };
    let lines: Vec<_> = text.lines().collect();
    let pairs = lines.windows(2).filter(|pair| pair[0].trim() == "#[cfg(test)]");
    let names = pairs.filter_map(|pair| pair[1].trim().strip_prefix("mod ")?.strip_suffix(';'));
    names.map(|name| folder.join(name)).collect()
}

fn is_file(path: &Path, stem: &Path) -> bool {
    path.with_extension("") == *stem
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Bytes of the comment at the start of this text.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let (mut at, mut depth) = (text.starts_with("/*").then_some(2)?, 1);
    while depth > 0 && at < text.len() {
        let here = &text.as_bytes()[at..];
        let step = if here.starts_with(b"/*") {
            depth += 1;
            2
        } else if here.starts_with(b"*/") {
            depth -= 1;
            2
        } else {
            1
        };
        at += step;
    }
    Some(at)
}

/// Bytes of the string literal at the start of this text, its prefix included.
fn string(text: &str) -> Option<usize> {
    let bare = text.trim_start_matches(['b', 'c']);
    if text.len() - bare.len() > 1 {
        return None;
    }
    let raw = bare.strip_prefix('r').unwrap_or(bare);
    let inner = raw.trim_start_matches('#');
    let hashes = raw.len() - inner.len();
    let body = inner.strip_prefix('"')?;
    let start = text.len() - body.len();
    if raw.len() < bare.len() {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(body.find(&end).map_or(text.len(), |at| start + at + end.len()));
    }
    if hashes > 0 {
        return None;
    }
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            '"' if !escaped => return Some(start + at + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Some(text.len())
}

/// Bytes of the character literal at the start of this text; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    let first = body.chars().next()?;
    if first == '\\' {
        return body.get(2..)?.find('\'').map(|at| 1 + 2 + at + 1);
    }
    body[first.len_utf8()..].starts_with('\'').then(|| 1 + first.len_utf8() + 1)
}

#[test]
fn blanks_what_is_not_code() {
    let text = r##"let a = "x // \" y"; /* /* f64 */ unsafe */ 'l: loop { b'"'; r#"a"b"# } // tokio
fn f<'a>(c: &'a str) {} let q = '\''; let r = b"unsafe"; ok"##;
    let seen: Vec<_> = words(&blank(text)).map(|(_, word)| word.to_owned()).collect();
    assert_eq!(seen.join(" "), "let a l loop b fn f a c a str let q let r ok");
    assert_eq!(blank(text).lines().count(), text.lines().count());
}

#[test]
fn tells_tests_from_code() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { x } }\nfn c() {}\n";
    let source = split("lets", "lets/src/x.rs".into(), text);
    let seen: Vec<_> = words(&source.code).filter(|(_, word)| word.len() == 1).collect();
    assert_eq!(seen, [(1, "a"), (5, "c")]);
    assert!(source.tests.contains("fn b()") && !source.written.contains("fn b()"));
    let found = test_modules(Path::new("s/lib.rs"), "#[cfg(test)]\nmod world;\nmod real;\n");
    assert_eq!(found, [PathBuf::from("s/world")]);
    assert_eq!(
        test_modules(Path::new("s/a.rs"), "#[cfg(test)]\nmod b;\n"),
        [PathBuf::from("s/a/b")]
    );
}

#[test]
fn the_tree_is_read() {
    let found = sources(&["protocol"]);
    assert!(found.iter().any(|source| source.path == "protocol/src/verify.rs"));
    assert!(found.iter().all(|source| source.room == "protocol"));
}

/// `UpperCamelCase` as `snake_case`, the name of the test that tries it.
pub fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}
