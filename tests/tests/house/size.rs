//! A function fits a screen; a file holds one idea.

use super::arrows::rooms;
use super::nothing_found;
use super::source::{Source, is_word, sources, split};

/// Lines of a function, its signature and closing brace included.
const FUNCTION_LINES: usize = 60;
/// Lines of a file without its tests.
const FILE_LINES: usize = 500;

fn too_long(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = source.written.lines().count();
    if lines > FILE_LINES {
        findings.push(format!("{}: {lines} lines before its tests", source.path));
    }
    for (name, line, lines) in functions(&source.code) {
        if lines > FUNCTION_LINES {
            findings.push(format!("{}:{line} fn {name}: {lines} lines", source.path));
        }
    }
    findings
}

/// Name, first line and number of lines of every function with a body.
fn functions(code: &str) -> Vec<(&str, usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if code[..at].chars().next_back().is_some_and(is_word) {
            continue;
        }
        let rest = &code[at + 3..];
        let name = rest.split(|c| !is_word(c)).next().unwrap_or_default();
        let Some(length) = body_end(rest) else { continue };
        let line = code[..at].matches('\n').count() + 1;
        found.push((name, line, rest[..length].matches('\n').count() + 1));
    }
    found
}

/// Bytes to the end of the body; none for a declaration.
fn body_end(text: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(at),
            '}' => braces -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            _ => {}
        }
    }
    None
}

#[test]
fn functions_fit_a_screen_and_files_hold_one_idea() {
    let findings = sources(&rooms(None)).iter().flat_map(too_long).collect();
    nothing_found("functions of at most 60 lines, files of at most 500 before tests", findings);
}

#[test]
fn what_is_too_long_is_found() {
    let long = |lines| {
        format!("fn short(x: [u8; 4]) {{}}\n\nfn long() {{\n{}}}\n", "    x();\n".repeat(lines))
    };
    let source = |lines| split("lets", "lets/src/x.rs".into(), &long(lines));
    assert!(too_long(&source(58)).is_empty());
    assert_eq!(too_long(&source(59)), ["lets/src/x.rs:3 fn long: 61 lines"]);
    assert_eq!(too_long(&source(600))[0], "lets/src/x.rs: 604 lines before its tests");
}

#[test]
fn tests_may_be_long() {
    let text = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n", "x();\n".repeat(900));
    assert!(too_long(&split("lets", "lets/src/x.rs".into(), &text)).is_empty());
}
