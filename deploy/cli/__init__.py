"""The commands behind `./manyi`: one file per command or small group, imported light, heavy things inside."""
