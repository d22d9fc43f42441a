//! A cat on the web, with axum: what the environment says, the routes, and an end without a lost answer.

mod app;
mod guests;
mod settings;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use settings::Settings;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

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
    let (tell, told) = oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async { told.await.unwrap_or_default() });
    let close = async {
        told_to_end().await;
        let _ = tell.send(());
        engine.close(deadline).await.map_err(Box::<dyn Error>::from)
    };
    tokio::try_join!(async { server.into_future().await.map_err(Box::from) }, close)?;
    Ok(())
}

#[cfg(unix)]
async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut end), Ok(mut key)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else { return };
    tokio::select! {
        _ = end.recv() => {}
        _ = key.recv() => {}
    }
}

#[cfg(not(unix))]
async fn told_to_end() {
    let _ = tokio::signal::ctrl_c().await;
}
