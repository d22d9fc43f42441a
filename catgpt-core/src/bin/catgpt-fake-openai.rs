//! The fault-injecting Chat Completions server as a program: for tests in other languages, and for benchmarks.
//!
//! `catgpt-fake-openai [PORT]` prints its base URL on the first line. `GET /requests` (without `/v1`) is what it was
//! sent, `POST /next` takes knobs such as `f=cut,k=1` for one request, `GET /faults` is the list of faults with what a
//! right client makes of them, `GET /refused` is an address on which nothing listens.

use catgpt_core::testkit::FakeServer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse()).map_err(std::io::Error::other)?;
    let server = FakeServer::start_on(port).await?;
    #[allow(clippy::print_stdout, reason = "this is a program")]
    {
        println!("{}", server.url());
    }
    server.run().await;
    Ok(())
}
