//! Listeners: what is opened, and what clients are told.
//!
//! Source: `org.apache.kafka.server.config.AbstractKafkaConfig#effectiveAdvertisedBrokerListeners` and
//! `org.apache.kafka.network.SocketServerConfigs#listenerListToEndPoints`.

use std::fmt;
use std::net::IpAddr;

use crate::broker_keys::{BROKER_DEFINITIONS, BrokerValues};

/// An address with the name of its listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name in upper case, for example `PLAINTEXT`.
    pub listener: String,
    /// A host name, an IPv4 address, or an IPv6 address without brackets. Empty means every interface where a
    /// socket is opened, and this machine's own host name where clients are told.
    pub host: String,
    /// The port; 0 opens any free one, and in an advertised endpoint means the one that was opened.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}://[{}]:{}", self.listener, self.host, self.port)
        } else {
            write!(f, "{}://{}:{}", self.listener, self.host, self.port)
        }
    }
}

/// A listener: where it is opened, and what clients are told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address that is opened.
    pub bind: Endpoint,
    /// The address that clients are told, or `None` if this listener is not advertised.
    pub advertised: Option<Endpoint>,
}

/// A fault, with the key that should be changed.
pub(crate) type Fault = (&'static str, String);

/// Whether the configuration is one for a controller without a broker, in Kafka a process that clients do not talk to.
pub(crate) fn is_controller_alone(values: &BrokerValues) -> bool {
    matches!(&values.process_roles[..], [role] if role == "controller")
}

/// The listeners that Logan opens, in the order of the file: those of brokers, and those of controllers where there are
/// no others.
pub(crate) fn resolve(values: &BrokerValues) -> Result<Vec<Listener>, Fault> {
    let key = "listeners";
    let named: Vec<String> = values
        .controller_listener_names
        .iter()
        .map(|name| name.to_uppercase())
        .collect();
    let (controllers, opened_controllers) = if is_controller_alone(values) {
        (Vec::new(), named)
    } else {
        (named, Vec::new())
    };
    let mut opened = parse_all(key, &values.listeners)?;
    opened.retain(|endpoint| !controllers.contains(&endpoint.listener));
    if opened.is_empty() {
        return Err((
            key,
            "there must be a listener that controller.listener.names does not name".to_owned(),
        ));
    }
    check_distinct(key, &opened)?;
    let map = protocol_map(values, &opened_controllers);
    check_protocols(&opened, &map)?;
    let advertised = match &values.advertised_listeners {
        None => opened.clone(),
        Some(texts) => parse_all("advertised.listeners", texts)?,
    };
    let mut listeners: Vec<Listener> = opened
        .into_iter()
        .map(|bind| Listener {
            bind,
            advertised: None,
        })
        .collect();
    for endpoint in advertised {
        advertise(&mut listeners, endpoint, &controllers)?;
    }
    Ok(listeners)
}

fn advertise(
    listeners: &mut [Listener],
    endpoint: Endpoint,
    controllers: &[String],
) -> Result<(), Fault> {
    let key = "advertised.listeners";
    if controllers.contains(&endpoint.listener) {
        return Ok(());
    }
    if matches!(endpoint.host.as_str(), "0.0.0.0" | "::") {
        let host = &endpoint.host;
        return Err((
            key,
            format!(
                "advertised.listeners cannot use the nonroutable meta-address {host}. Use a routable IP address."
            ),
        ));
    }
    match listeners
        .iter_mut()
        .find(|listener| listener.bind.listener == endpoint.listener)
    {
        None => Err((
            key,
            format!("listener {} is not among listeners", endpoint.listener),
        )),
        Some(Listener {
            advertised: Some(_),
            ..
        }) => Err((
            key,
            format!(
                "listener {} is named twice; each listener must have a different name",
                endpoint.listener
            ),
        )),
        Some(listener) => {
            listener.advertised = Some(endpoint);
            Ok(())
        }
    }
}

fn parse_all(key: &'static str, texts: &[String]) -> Result<Vec<Endpoint>, Fault> {
    texts
        .iter()
        .map(|text| parse(text).map_err(|problem| (key, problem)))
        .collect()
}

fn parse(text: &str) -> Result<Endpoint, String> {
    let wrong = || {
        format!(
            "Unable to parse {text} to a broker endpoint; write NAME://host:port, an IPv6 address as [::1]"
        )
    };
    let (name, address) = text.split_once("://").ok_or_else(wrong)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
        Some(inner) => inner.ok_or_else(wrong)?,
        None if host.contains(':') => return Err(wrong()),
        None => host,
    };
    let permitted =
        |character: char| character.is_ascii_alphanumeric() || "-_%.:".contains(character);
    if name.is_empty() || !host.chars().all(permitted) {
        return Err(wrong());
    }
    let port = port
        .parse()
        .ok()
        .ok_or_else(|| format!("The port of {text} must be a number from 0 to 65535"))?;
    Ok(Endpoint {
        listener: name.to_uppercase(),
        host: host.to_owned(),
        port,
    })
}

fn check_distinct(key: &'static str, endpoints: &[Endpoint]) -> Result<(), Fault> {
    for (index, one) in endpoints.iter().enumerate() {
        for other in &endpoints[..index] {
            if one.listener == other.listener {
                return Err((
                    key,
                    format!(
                        "Each listener must have a different name; {} is named twice",
                        one.listener
                    ),
                ));
            }
            if one.port == other.port && one.port != 0 && !are_of_both_families(one, other) {
                return Err((
                    key,
                    format!(
                        "Each listener must have a different port unless exactly one listener has an IPv4 address and the other IPv6 address; {} is used twice",
                        one.port
                    ),
                ));
            }
        }
    }
    Ok(())
}

fn are_of_both_families(one: &Endpoint, other: &Endpoint) -> bool {
    match (one.host.parse::<IpAddr>(), other.host.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one.is_ipv4() != other.is_ipv4(),
        _ => false,
    }
}

const SECURITY_PROTOCOLS: &[&str] = &["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// As in Kafka, a controller's listener speaks PLAINTEXT where nobody maps any.
fn protocol_map(values: &BrokerValues, opened_controllers: &[String]) -> String {
    let map = &values.listener_security_protocol_map;
    let default = BROKER_DEFINITIONS
        .iter()
        .find(|definition| definition.name == "listener.security.protocol.map")
        .and_then(|definition| definition.default);
    if default != Some(map.as_str()) {
        return map.clone();
    }
    let named = opened_controllers.iter();
    let named = named.map(|listener| format!(",{listener}:PLAINTEXT"));
    named.fold(map.clone(), |map, entry| map + &entry)
}

/// Refuses a listener that would have to speak anything but PLAINTEXT; the map may name others for listeners that
/// are not opened, as Kafka's default does.
fn check_protocols(opened: &[Endpoint], map: &str) -> Result<(), Fault> {
    let key = "listener.security.protocol.map";
    let mut pairs = Vec::new();
    for entry in map
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        let (name, protocol) = entry.split_once(':').ok_or_else(|| {
            (
                key,
                format!("{entry} must be a listener and its protocol, as NAME:PLAINTEXT"),
            )
        })?;
        let (name, protocol) = (name.trim().to_uppercase(), protocol.trim().to_uppercase());
        if !SECURITY_PROTOCOLS.contains(&protocol.as_str()) {
            return Err((
                key,
                format!(
                    "Invalid security protocol `{protocol}` defined in listener.security.protocol.map; Logan speaks PLAINTEXT"
                ),
            ));
        }
        pairs.push((name, protocol));
    }
    for endpoint in opened {
        let name = &endpoint.listener;
        match pairs.iter().rfind(|(listener, _)| listener == name) {
            Some((_, protocol)) if protocol == "PLAINTEXT" => {}
            Some((_, protocol)) => {
                return Err((
                    "listeners",
                    format!(
                        "Listener {name} would speak {protocol}, which this version of Logan does not; map it to PLAINTEXT"
                    ),
                ));
            }
            None => {
                return Err((
                    key,
                    format!(
                        "No security protocol defined for listener {name}; add {name}:PLAINTEXT"
                    ),
                ));
            }
        }
    }
    Ok(())
}
