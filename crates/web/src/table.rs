//! Which methods a path has, collected from the interface descriptions of all services.
//!
//! A handler declared by macro is one resource per method, so the router alone cannot tell a wrong method (405) from an
//! unknown path (404).

use actix_web::dev::ResourceDef;
use utoipa::openapi::{OpenApi, PathItem};

/// Path patterns and their methods.
#[derive(Debug, Default)]
pub(crate) struct RouteTable {
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    path: ResourceDef,
    methods: Vec<&'static str>,
}

impl RouteTable {
    pub(crate) fn new<'a>(descriptions: impl IntoIterator<Item = &'a OpenApi>) -> Self {
        let routes = descriptions
            .into_iter()
            .flat_map(|description| &description.paths.paths)
            .map(|(path, item)| Route { path: ResourceDef::new(path.as_str()), methods: methods(item) })
            .collect();
        Self { routes }
    }

    /// Returns the methods of `path`, sorted, as the header `Allow` lists them; `None` when no route fits.
    pub(crate) fn allow(&self, path: &str) -> Option<String> {
        let mut methods: Vec<_> =
            self.matching(path).flat_map(|route| route.methods.iter().copied()).collect();
        methods.sort_unstable();
        methods.dedup();
        (!methods.is_empty()).then(|| methods.join(", "))
    }

    /// Returns the pattern that fits `path`.
    pub(crate) fn pattern(&self, path: &str) -> Option<&str> {
        self.matching(path).next().and_then(|route| route.path.pattern())
    }

    fn matching(&self, path: &str) -> impl Iterator<Item = &Route> {
        self.routes.iter().filter(move |route| route.path.is_match(path))
    }
}

fn methods(item: &PathItem) -> Vec<&'static str> {
    [
        ("GET", item.get.is_some()),
        ("PUT", item.put.is_some()),
        ("POST", item.post.is_some()),
        ("DELETE", item.delete.is_some()),
        ("OPTIONS", item.options.is_some()),
        ("HEAD", item.head.is_some()),
        ("PATCH", item.patch.is_some()),
        ("TRACE", item.trace.is_some()),
    ]
    .into_iter()
    .filter_map(|(method, present)| present.then_some(method))
    .collect()
}
