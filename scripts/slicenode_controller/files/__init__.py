"""Images and exports over HTTP."""
