//! The bridge to NATS as its settings say.

use anyhow::{Context, Result};
use bridge_nats::{Authority, Config, Credentials, From, Sink, Source, Template, Tls, To};

use crate::config::{Hidden, NatsBridge, NatsFrom, NatsSink, NatsSource, NatsTo};
use crate::nats_addresses;

pub(crate) fn config(bridge: &NatsBridge, origin: &str, rides: rides::Authority) -> Result<Config> {
    let addresses = nats_addresses::read(&bridge.url.0).map_err(anyhow::Error::msg)?;
    let credentials = match (&bridge.credentials, &bridge.token, &bridge.nkey, addresses.user) {
        (Some(file), ..) => Credentials::File(file.clone()),
        (_, Some(Hidden(token)), ..) => Credentials::Token(token.clone()),
        (_, _, Some(Hidden(seed)), _) => Credentials::Nkey(seed.clone()),
        (_, _, _, Some((user, password))) => Credentials::Password { user, password },
        _ => Credentials::None,
    };
    let authority = match rides {
        rides::Authority::Kulkul => Authority::Kulkul,
        rides::Authority::Fleet => Authority::Fleet,
    };
    Ok(Config {
        servers: addresses.servers,
        credentials,
        tls: Tls {
            required: bridge.tls || addresses.tls,
            first: bridge.tls_first,
            authorities: bridge.authorities.clone(),
            identity: bridge.identity.clone(),
        },
        domain: bridge.domain.clone(),
        group: bridge.group.clone(),
        hold: bridge.hold,
        origin: origin.to_owned(),
        dead_letters: bridge.dead_letters.clone(),
        rides: bridge.rides.then_some(authority),
        sources: bridge.sources.iter().map(source).collect::<Result<_>>()?,
        sinks: bridge.sinks.iter().map(sink).collect::<Result<_>>()?,
    })
}

fn source(source: &NatsSource) -> Result<Source> {
    let optional = |written: &Option<String>| written.as_deref().map(template).transpose();
    Ok(Source {
        subject: source.subject.clone(),
        from: match &source.from {
            NatsFrom::Plain => From::Plain,
            NatsFrom::Stream { name, durable, all, deliver_max, in_order } => From::Stream {
                name: name.clone(),
                durable: durable.clone(),
                all: *all,
                deliver_max: *deliver_max,
                in_order: *in_order,
            },
        },
        to: match &source.to {
            NatsTo::Room(written) => To::Room(template(written)?),
            NatsTo::Users(field) => To::Users(field.clone()),
        },
        kind: template(&source.kind)?,
        payload: source.payload.clone(),
        id: optional(&source.id)?,
        author: optional(&source.author)?,
        author_name: optional(&source.author_name)?,
        soft: source.soft,
    })
}

fn sink(sink: &NatsSink) -> Result<Sink> {
    Ok(Sink { rooms: sink.rooms.clone(), subject: template(&sink.subject)? })
}

fn template(written: &str) -> Result<Template> {
    Template::read(written).with_context(|| format!("{written:?}: its braces do not stand in pairs"))
}
