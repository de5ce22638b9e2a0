//! What a node says to the terminal it was started from, and what it hears from it.

use std::path::Path;

/// Tells whoever started a node what to open and what to try.
pub fn welcome(address: std::net::SocketAddr, data: &Path) {
    // As this program was called, so that the lines below can be typed as they stand.
    let ayni = std::env::args().next().unwrap_or_else(|| "ayni".into());
    eprintln!(
        "\nAyni is running.\n\n  \
         Page     http://{address}/\n  \
         Relay    ws://{address}/\n  \
         Folder   {}\n\n\
         Try next, in a second terminal:\n  \
         {ayni} key new ana.key\n  \
         {ayni} member add \"$({ayni} key show ana.key)\" --name ana\n  \
         {ayni} balance ana\n",
        data.display()
    );
}

/// Tells whoever started a relay that is only that where it is.
pub fn welcome_to_relay(address: std::net::SocketAddr, data: &Path) {
    let ayni = std::env::args().next().unwrap_or_else(|| "ayni".into());
    eprintln!(
        "\nThe relay is running.\n\n  \
         Relay    ws://{address}/\n  \
         Folder   {}\n\n\
         Manage it, in a second terminal:\n  \
         {ayni} relay supportedmethods\n  \
         {ayni} relay changerelayname \"Our relay\"\n",
        data.display()
    );
}

/// Resolves on Ctrl-C or SIGTERM.
pub async fn interrupted() {
    let terminated = async {
        #[cfg(unix)]
        if let Ok(mut signal) =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        {
            signal.recv().await;
            return;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
