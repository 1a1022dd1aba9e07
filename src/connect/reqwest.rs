//! reqwest, which hides its connectors but takes a resolver.

use std::error::Error;
use std::net::SocketAddr;

use hyper_util::client::legacy::connect::dns::Name;
use reqwest::dns::{Addrs, Resolve, Resolving};
use tower_service::Service;

use super::DnsService;

impl<S> Resolve for DnsService<S>
where
    S: Service<Name> + Clone + Send + Sync + 'static,
    S::Response: Iterator<Item = SocketAddr> + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>> + std::fmt::Display + 'static,
    S::Future: Send + 'static,
{
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        let mut service = self.clone();
        Box::pin(async move {
            let name: Name = name.as_str().parse()?;
            std::future::poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
            let addresses = service.call(name).await.map_err(Into::into)?;
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
