//! A cat on the web, with axum: what the environment says, the routes, and an end without a lost answer.

mod app;
mod guests;
mod settings;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use settings::Settings;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `.env` beside this package; what the environment says already stays.
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(".env");
    if file.exists() {
        dotenvy::from_path(file)?;
    }
    let settings = Settings::parse();
    let engine = settings.engine(settings.model()?).await?;
    let deadline = Duration::from_secs(settings.shutdown_seconds);
    let listener = TcpListener::bind((settings.host.as_str(), settings.port)).await?;
    println!("http://{}", listener.local_addr()?);

    let app = app::router(engine.clone(), settings).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, app).with_graceful_shutdown(told_to_end());
    // The server waits for its answers, and the engine ends them.
    let close = async {
        told_to_end().await;
        engine.close(deadline).await
    };
    let (served, closed) = tokio::join!(server.into_future(), close);
    Ok(served.and(closed.map_err(std::io::Error::other))?)
}

/// Waits for SIGTERM, or Ctrl-C.
async fn told_to_end() {
    #[cfg(unix)]
    let end = async { Some(signal(SignalKind::terminate()).ok()?.recv().await) };
    #[cfg(not(unix))]
    let end = std::future::pending::<()>();
    tokio::select! {
        _ = end => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
