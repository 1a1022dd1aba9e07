use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource as Sender;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;

use super::super::decode::{Budget, Unsound};
use super::{Resource, Scope, pairs};

/// From where spans and records came.
pub(super) struct Sources {
    resources: Vec<Sender>,
    scopes: Vec<(InstrumentationScope, String)>,
}

impl Sources {
    pub(super) fn new(resources: Vec<Resource>, scopes: Vec<Scope>) -> Result<Self, String> {
        let sender =
            |resource: Resource| Ok(Sender { attributes: pairs(resource.attributes)?, ..Sender::default() });
        let scope = |scope: Scope| {
            let (name, version, attributes) = (scope.name, scope.version, pairs(scope.attributes)?);
            Ok((
                InstrumentationScope { name, version, attributes, dropped_attributes_count: 0 },
                scope.schema_url,
            ))
        };
        let resources: Result<_, String> = resources.into_iter().map(sender).collect();
        let scopes: Result<_, String> = scopes.into_iter().map(scope).collect();
        Ok(Self { resources: resources?, scopes: scopes? })
    }

    /// The group of what came from there. Each has a copy of where that is, which many groups would make too many.
    pub(super) fn group<'a, G: Group>(
        &self,
        known: &mut HashMap<(usize, usize), usize>,
        groups: &'a mut Vec<G>,
        source: (usize, usize),
        budget: &mut Budget,
    ) -> Result<&'a mut G::Scoped, Unsound> {
        let resource = self.resources.get(source.0).ok_or("`resource` must be a place in `resources`")?;
        let (scope, schema_url) = self.scopes.get(source.1).ok_or("`scope` must be a place in `scopes`")?;
        let place = match known.get(&source) {
            Some(place) => *place,
            None => {
                let encoded = resource.encoded_len() + scope.encoded_len() + schema_url.len();
                budget.spend(GROUP + 4 * encoded)?;
                groups.push(G::new(resource.clone(), scope.clone(), schema_url.clone()));
                known.insert(source, groups.len() - 1);
                groups.len() - 1
            }
        };
        Ok(groups[place].scoped())
    }
}

/// What a group takes besides what it copies.
const GROUP: usize = 1_024;

/// Spans or records of one resource and one scope.
pub(super) trait Group {
    type Scoped;

    fn new(resource: Sender, scope: InstrumentationScope, schema_url: String) -> Self;

    fn scoped(&mut self) -> &mut Self::Scoped;
}

impl Group for ResourceSpans {
    type Scoped = ScopeSpans;

    fn new(resource: Sender, scope: InstrumentationScope, schema_url: String) -> Self {
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans: Vec::new(), schema_url }];
        Self { resource: Some(resource), scope_spans, ..Self::default() }
    }

    fn scoped(&mut self) -> &mut ScopeSpans {
        &mut self.scope_spans[0]
    }
}

impl Group for ResourceLogs {
    type Scoped = ScopeLogs;

    fn new(resource: Sender, scope: InstrumentationScope, schema_url: String) -> Self {
        let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records: Vec::new(), schema_url }];
        Self { resource: Some(resource), scope_logs, ..Self::default() }
    }

    fn scoped(&mut self) -> &mut ScopeLogs {
        &mut self.scope_logs[0]
    }
}
