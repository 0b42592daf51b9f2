//! Headers of answers, for the OpenAPI documents that the services generate.

use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::{Object, ObjectBuilder, OpenApi, RefOr, Response, Type};

/// A header that answers have, whatever the call.
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    /// The answers' status, as the document writes it; all of them if none is given.
    pub status: Option<&'static str>,
    /// Its name, in lower case.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// What it looks like.
    pub shape: Shape,
    /// Each of these answers has it.
    pub always: bool,
}

/// What a header looks like.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Any text.
    Text,
    /// Text of this pattern.
    Pattern(&'static str),
    /// A count of seconds.
    Seconds,
}

/// What both services keep to.
const COMMON: [Declared; 3] = [
    Declared {
        status: Some("401"),
        name: "www-authenticate",
        about: "RFC 6750 §3",
        shape: Shape::Pattern("^Bearer"),
        always: true,
    },
    Declared {
        status: Some("403"),
        name: "www-authenticate",
        about: "With `insufficient_scope`: the scope that is needed (RFC 6750 §3.1)",
        shape: Shape::Pattern("^Bearer error=\"insufficient_scope\""),
        always: false,
    },
    Declared {
        status: Some("503"),
        name: "retry-after",
        about: "Seconds to wait",
        shape: Shape::Seconds,
        always: true,
    },
];

/// Puts these headers, and those that both services keep to, into a document. Those that an answer declares itself are always there.
pub fn declare(document: &mut OpenApi, headers: &[Declared]) {
    for item in document.paths.paths.values_mut() {
        for call in [&mut item.get, &mut item.post, &mut item.put].into_iter().flatten() {
            for (status, answer) in &mut call.responses.responses {
                let RefOr::T(answer) = answer else { continue };
                complete(status, answer, headers);
            }
        }
    }
}

fn complete(status: &str, answer: &mut Response, headers: &[Declared]) {
    for header in answer.headers.values_mut() {
        if let RefOr::T(header) = header {
            header.extensions = Some(required());
        }
    }
    let headers = headers.iter().chain(&COMMON);
    for header in headers.filter(|header| header.status.is_none_or(|of| of == status)) {
        answer.headers.entry(header.name.to_owned()).or_insert_with(|| header.to_openapi().into());
    }
}

impl Declared {
    fn to_openapi(self) -> Header {
        let shape = match self.shape {
            Shape::Text => Object::with_type(Type::String),
            Shape::Pattern(pattern) => {
                ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build()
            }
            Shape::Seconds => {
                ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).build()
            }
        };
        HeaderBuilder::new()
            .schema(Some(shape))
            .description(Some(self.about))
            .extensions(self.always.then(required))
            .build()
    }
}

/// `required`, for which the builder has no word: members that it doesn't know go in by their names.
fn required() -> Extensions {
    [("required", true)].into_iter().collect()
}
