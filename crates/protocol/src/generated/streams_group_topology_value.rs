// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `StreamsGroupTopologyValue`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Wire};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamsGroupTopologyValue {
    pub epoch: i32,
    pub subtopologies: Vec<Subtopology>,
}

impl Wire for StreamsGroupTopologyValue {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.epoch = d.i32()?;
        it.subtopologies = d.array(flexible, |d| Subtopology::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.i32(self.epoch);
        e.array(&self.subtopologies, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subtopology {
    pub subtopology_id: Str,
    pub source_topics: Vec<Str>,
    pub source_topic_regex: Vec<Str>,
    pub state_changelog_topics: Vec<TopicInfo>,
    pub repartition_sink_topics: Vec<Str>,
    pub repartition_source_topics: Vec<TopicInfo>,
    pub copartition_groups: Vec<CopartitionGroup>,
}

impl Wire for Subtopology {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.subtopology_id = d.string(flexible)?;
        it.source_topics = d.array(flexible, |d| d.string(flexible))?;
        it.source_topic_regex = d.array(flexible, |d| d.string(flexible))?;
        it.state_changelog_topics = d.array(flexible, |d| TopicInfo::decode(d, version))?;
        it.repartition_sink_topics = d.array(flexible, |d| d.string(flexible))?;
        it.repartition_source_topics = d.array(flexible, |d| TopicInfo::decode(d, version))?;
        it.copartition_groups = d.array(flexible, |d| CopartitionGroup::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.subtopology_id, flexible)?;
        e.array(&self.source_topics, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.array(&self.source_topic_regex, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.array(&self.state_changelog_topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.repartition_sink_topics, flexible, |e, item| { e.string(item, flexible)?; Ok(()) })?;
        e.array(&self.repartition_source_topics, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.array(&self.copartition_groups, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct CopartitionGroup {
    pub source_topics: Vec<i16>,
    pub source_topic_regex: Vec<i16>,
    pub repartition_source_topics: Vec<i16>,
}

impl Wire for CopartitionGroup {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.source_topics = d.array(flexible, |d| d.i16())?;
        it.source_topic_regex = d.array(flexible, |d| d.i16())?;
        it.repartition_source_topics = d.array(flexible, |d| d.i16())?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.array(&self.source_topics, flexible, |e, item| { e.i16(*item); Ok(()) })?;
        e.array(&self.source_topic_regex, flexible, |e, item| { e.i16(*item); Ok(()) })?;
        e.array(&self.repartition_source_topics, flexible, |e, item| { e.i16(*item); Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicConfig {
    pub key: Str,
    pub value: Str,
}

impl Wire for TopicConfig {
    fn decode(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.key = d.string(flexible)?;
        it.value = d.string(flexible)?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.key, flexible)?;
        e.string(&self.value, flexible)?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicInfo {
    pub name: Str,
    pub partitions: i32,
    pub replication_factor: i16,
    pub topic_configs: Vec<TopicConfig>,
}

impl Wire for TopicInfo {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = true;
        let mut it = Self::default();
        it.name = d.string(flexible)?;
        it.partitions = d.i32()?;
        it.replication_factor = d.i16()?;
        it.topic_configs = d.array(flexible, |d| TopicConfig::decode(d, version))?;
        d.skip_tags()?;
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = true;
        e.string(&self.name, flexible)?;
        e.i32(self.partitions);
        e.i16(self.replication_factor);
        e.array(&self.topic_configs, flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for StreamsGroupTopologyValue {
    const NAME: &'static str = "StreamsGroupTopologyValue";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 0;
    const SCHEMA_KEY: Option<i16> = Some(23);

    fn is_flexible(_version: i16) -> bool {
        true
    }
}
