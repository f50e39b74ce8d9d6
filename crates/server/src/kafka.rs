//! The bridge to Kafka as its settings say.

use anyhow::{Context, Result};
use bridge_kafka::{Config, Sasl, Sink, Source, Template, Tls, Wire};

use crate::config::{KafkaBridge, KafkaSink, KafkaSource};

pub(crate) fn config(bridge: &KafkaBridge, origin: &str) -> Result<Config> {
    let sasl = bridge.sasl.as_ref().map(|(mechanism, user, password)| Sasl {
        mechanism: mechanism.clone(),
        user: user.clone(),
        password: password.0.clone(),
    });
    let tls = Tls { authorities: bridge.authorities.clone(), identity: bridge.identity.clone() };
    Ok(Config {
        wire: Wire { brokers: bridge.brokers.clone(), tls: bridge.tls.then_some(tls), sasl },
        group: bridge.group.clone(),
        session: bridge.session,
        name: bridge.name.clone(),
        origin: origin.to_owned(),
        dead_letters: bridge.dead_letters.clone(),
        livechat: bridge.livechat,
        sources: bridge.sources.iter().map(source).collect::<Result<_>>()?,
        sinks: bridge.sinks.iter().map(sink).collect::<Result<_>>()?,
    })
}

fn source(source: &KafkaSource) -> Result<Source> {
    let optional = |written: &Option<String>| written.as_deref().map(template).transpose();
    Ok(Source {
        topic: source.topic.clone(),
        room: template(&source.room)?,
        kind: template(&source.kind)?,
        payload: source.payload.clone(),
        id: optional(&source.id)?,
        author: optional(&source.author)?,
        author_name: optional(&source.author_name)?,
        soft: source.soft,
    })
}

fn sink(sink: &KafkaSink) -> Result<Sink> {
    Ok(Sink { rooms: sink.rooms.clone(), topic: sink.topic.clone(), key: template(&sink.key)? })
}

fn template(written: &str) -> Result<Template> {
    Template::read(written).with_context(|| format!("{written:?}: its braces do not stand in pairs"))
}
