//! The OpenAPI document, made from the table of routes and the structs of the answers.

use axum::http::Method;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{Array, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr, Required};
use utoipa::openapi::{LicenseBuilder, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::api::ROUTES;
use super::problem::Problem;
use super::query::{Key, Kind};
use super::routes::{Form, Route};

/// The document as JSON.
pub fn document() -> String {
    let info = InfoBuilder::new()
        .title("Ringfence")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "What the sensor knows. Devices are pseudonyms, and addresses and names are left out, unless `http.identities` is set.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0 OR MIT").build()));
    let mut components = ComponentsBuilder::new().schema(Problem::name().into_owned(), Problem::schema());
    let mut paths = PathsBuilder::new();
    for route in ROUTES {
        for form in route.takes.iter().chain([&route.answer]) {
            if let Form::Schema(name, schema, others) = form {
                let mut more = Vec::new();
                others(&mut more);
                components = components.schema(name(), schema()).schemas_from_iter(more);
            }
        }
        let method = if route.method == Method::POST { HttpMethod::Post } else { HttpMethod::Get };
        paths = paths.path(route.path, PathItem::new(method, operation(route)));
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The content of `http.token_file`, or of an operator's token file where a right is needed."))
        .build();
    let components = components.security_scheme("token", SecurityScheme::Http(bearer)).build();
    let document = OpenApiBuilder::new().info(info.build()).paths(paths.build()).components(Some(components)).build();
    // The document's own types have text keys only.
    document.to_pretty_json().unwrap_or_default() + "\n"
}

fn operation(route: &Route) -> OperationBuilder {
    let mut operation =
        OperationBuilder::new().summary(Some(route.about)).response("200", answer(&route.answer)).response("default", problem());
    if route.path.contains("{id}") {
        let text: RefOr<Schema> = text_object().into();
        let id = ParameterBuilder::new().name("id").parameter_in(ParameterIn::Path).required(Required::True).schema(Some(text));
        operation = operation.parameter(id.description(Some("Its id.")).build());
    }
    for key in route.query {
        operation = operation.parameter(parameter(key));
    }
    if let Some(Form::Schema(name, ..)) = &route.takes {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(name()))).build();
        let body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
        operation = operation.request_body(Some(body.build()));
    }
    // An empty requirement beside it: where no token is set, readers are asked for none.
    let anyone = route.right.is_none().then(SecurityRequirement::default);
    let token = anyone.into_iter().chain([SecurityRequirement::new("token", Vec::<String>::new())]);
    if route.open { operation } else { token.fold(operation, OperationBuilder::security) }
}

fn answer(form: &Form) -> ResponseBuilder {
    let response = ResponseBuilder::new().description("The answer");
    match form {
        Form::Metrics => response.content("text/plain", ContentBuilder::new().schema(Some(text_object())).build()),
        Form::Json => response.content("application/json", ContentBuilder::new().schema(Some(Object::new())).build()),
        Form::Schema(name, ..) => {
            response.content("application/json", ContentBuilder::new().schema(Some(Ref::from_schema_name(name()))).build())
        }
    }
}

fn problem() -> ResponseBuilder {
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description("Problem details (RFC 9457) with a remedy").content("application/problem+json", content)
}

fn parameter(key: &Key) -> Parameter {
    let schema: RefOr<Schema> = match key.kind {
        Kind::Text => text_object().into(),
        Kind::Time => of(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).build().into(),
        Kind::Flag => of(Type::Boolean).build().into(),
        Kind::Words(words) => Array::new(of(Type::String).enum_values(Some(words())).build()).into(),
        Kind::Number { min, max, default } => {
            of(Type::Integer).minimum(Some(min)).maximum(Some(max)).default(Some(default.into())).build().into()
        }
    };
    let parameter = ParameterBuilder::new().name(key.name).parameter_in(ParameterIn::Query).required(Required::False);
    // `explode: false`: several words are separated by commas.
    let explode = matches!(key.kind, Kind::Words(_)).then_some(false);
    parameter.description(Some(key.about)).schema(Some(schema)).explode(explode).build()
}

fn text_object() -> Object {
    of(Type::String).build()
}

fn of(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(kind))
}
