//! `kulkul rooms`, `users`, `connections`, `kick`, `disconnect`, `release`, `drain`, `explain`, `console`: what an operator asks of running servers, one after the
//! other, because each answers for itself. It prints; what is asked, the API answers.

mod act;
mod explain;
mod look;
mod table;

use anyhow::{Result, bail};

use super::ask::{Server, Unheard};

pub(crate) use act::{disconnect, drain, kick, release};
pub(crate) use explain::{console, explain};
pub(crate) use look::{connections, rooms, users};

/// Asks each; who fails is named, and the others are heard.
fn each(servers: &[Server], mut ask: impl FnMut(&Server) -> Result<()>) -> Result<()> {
    let mut failed = 0;
    for server in servers {
        match ask(server) {
            Ok(()) => {}
            Err(error) if servers.len() == 1 || crate::is_broken_pipe(&error) => return Err(error),
            Err(error) => {
                eprintln!("{}: {error:#}", server.url());
                failed += 1;
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} servers have not done it", servers.len());
    }
    Ok(())
}

/// What holds for all nodes is asked of the first that answers.
fn first<T>(servers: &[Server], mut ask: impl FnMut(&Server) -> Result<T, Unheard>) -> Result<T> {
    let mut away = None;
    for server in servers {
        match ask(server) {
            Ok(told) => return Ok(told),
            Err(Unheard::NotNow(error)) => away = Some(error),
            Err(refused) => return Err(refused.into()),
        }
    }
    Err(away.unwrap_or_else(nobody))
}

/// What is of one node alone is asked of each until that one is found.
fn whichever<T>(servers: &[Server], mut ask: impl FnMut(&Server) -> Result<T, Unheard>) -> Result<T> {
    let mut last = None;
    for server in servers {
        match ask(server) {
            Ok(told) => return Ok(told),
            Err(why) => last = Some(anyhow::Error::from(why)),
        }
    }
    Err(last.unwrap_or_else(nobody))
}

fn nobody() -> anyhow::Error {
    anyhow::anyhow!("there is no server to ask; say where with --url")
}

/// As a part of a path.
fn part(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b':');
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_name_holds_is_one_part_of_a_path() {
        assert_eq!(part("chat:general"), "chat:general");
        assert_eq!(part("user:a/b é?"), "user:a%2Fb%20%C3%A9%3F");
    }
}
