//! Where a token may stand in a request, and how it is written there. Whether one is good is not asked here.

use std::borrow::Cow;

use crate::visit::Visit;

/// The tokens of a request, and the subprotocol to agree to.
pub(crate) struct Found<'a> {
    pub tokens: Vec<Cow<'a, str>>,
    pub agreed: Option<String>,
}

/// `in_query`: whether one may stand where proxies write it into their logs.
pub(crate) fn find<'a>(visit: &Visit<'a>, in_query: bool) -> Found<'a> {
    let (in_protocols, agreed) = tokens_in_protocols(visit.protocols());
    let bearer = visit.authorization.and_then(bearer);
    let query = visit.query.filter(|_| in_query);
    let in_query = query.into_iter().flat_map(|query| parameters(query, "token"));
    let in_head = in_protocols.into_iter().chain(bearer).map(Cow::Borrowed);
    Found { tokens: in_query.chain(in_head).collect(), agreed }
}

/// `kulkul, bearer.<jwt>` agrees to `kulkul` and never repeats the token; a lone token is repeated, because the browser
/// that sent it that way would hang up otherwise.
fn tokens_in_protocols<'a>(offered: &[&'a str]) -> (Vec<&'a str>, Option<String>) {
    let spoken = offered.contains(&"kulkul").then(|| "kulkul".to_owned());
    let tokens: Vec<&str> = offered.iter().filter_map(|protocol| protocol.strip_prefix("bearer.")).collect();
    match offered {
        [lone] if tokens.is_empty() && lone.split('.').count() == 3 && lone.starts_with("ey") => {
            (vec![lone], Some((*lone).to_owned()))
        }
        _ => (tokens, spoken),
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

pub(crate) fn parameters<'a>(query: &'a str, name: &'static str) -> impl Iterator<Item = Cow<'a, str>> {
    let values = query.split('&').filter_map(move |pair| pair.strip_prefix(name)?.strip_prefix('='));
    values.map(unescaped)
}

/// What is not valid UTF-8 when unescaped is no token either way, and stays as it is.
pub(crate) fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('%') {
        return Cow::Borrowed(value);
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(value), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_the_subprotocol_is_repeated_only_where_the_browser_insists() {
        for (offered, tokens, agreed) in [
            (&["kulkul", "bearer.eyJ.a.b"][..], &["eyJ.a.b"][..], Some("kulkul")),
            (&["bearer.eyJ.a.b"], &["eyJ.a.b"], None),
            (&["kulkul", "bearer.eyJ.a.b", "bearer.eyJ.c.d"], &["eyJ.a.b", "eyJ.c.d"], Some("kulkul")),
            (&["eyJh.bbb.ccc"], &["eyJh.bbb.ccc"], Some("eyJh.bbb.ccc")),
            (&["kulkul"], &[], Some("kulkul")),
            (&["graphql-ws"], &[], None),
            (&[], &[], None),
        ] {
            let (found, repeated) = tokens_in_protocols(offered);
            assert_eq!((&found[..], repeated.as_deref()), (tokens, agreed), "{offered:?}");
        }
    }

    #[test]
    fn the_token_is_found_in_the_query_however_it_is_escaped() {
        for (query, tokens) in [
            ("token=a.b.c", &["a.b.c"][..]),
            ("x=1&token=a.b.c&y=2", &["a.b.c"]),
            ("token=a%2Eb%2ec", &["a.b.c"]),
            ("token=a&token=b", &["a", "b"]),
            ("mytoken=a", &[]),
            ("token=%ff", &["%ff"]),
            ("", &[]),
        ] {
            assert_eq!(parameters(query, "token").collect::<Vec<_>>(), tokens, "{query}");
        }
    }
}
