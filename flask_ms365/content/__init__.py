"""What lies behind a message: contents of attachments, inline images, MIME. On demand, or stored by policy."""
