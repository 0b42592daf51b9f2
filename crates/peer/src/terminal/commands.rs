//! What a line says: a message, or a command that begins with `/`.

use std::path::{Path, PathBuf};

use wire::{ChannelName, PeerId};

/// A command's name and what it wants, in the order of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// Joins a channel.
    Join,
    /// Leaves a channel.
    Leave,
    /// Lists all channels.
    Channels,
    /// Opens a talk.
    Msg,
    /// Lists members, or people.
    Who,
    /// Offers a file.
    File,
    /// Accepts one.
    Accept,
    /// Declines one.
    Decline,
    /// Stops a transfer.
    Cancel,
    /// Lists a person's devices.
    Devices,
    /// Shows safety numbers.
    Compare,
    /// Leaves the mouse to the terminal, or takes it back.
    Mouse,
    /// Shows the keys and commands.
    Help,
    /// Ends the program.
    Quit,
}

/// All commands.
pub(crate) const NAMES: [(Name, &str); 14] = [
    (Name::Join, "join"),
    (Name::Leave, "leave"),
    (Name::Channels, "channels"),
    (Name::Msg, "msg"),
    (Name::Who, "who"),
    (Name::File, "file"),
    (Name::Accept, "accept"),
    (Name::Decline, "decline"),
    (Name::Cancel, "cancel"),
    (Name::Devices, "devices"),
    (Name::Compare, "compare"),
    (Name::Mouse, "mouse"),
    (Name::Help, "help"),
    (Name::Quit, "quit"),
];

/// What a command acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// A channel.
    Join(ChannelName),
    /// A channel, or the open one.
    Leave(Option<ChannelName>),
    /// All channels.
    Channels,
    /// A person, and perhaps what to say.
    Msg(PeerId, Option<String>),
    /// The open channel's members, or all people.
    Who,
    /// A file for the open talk's person.
    File(PathBuf),
    /// The transfer with a number, or the first that waits for an answer.
    Accept(Option<usize>),
    /// The transfer with a number, or the first that waits for an answer.
    Decline(Option<usize>),
    /// The transfer with a number, or the first one.
    Cancel(Option<usize>),
    /// A person, or the open talk's.
    Devices(Option<PeerId>),
    /// A person, or the open talk's.
    Compare(Option<PeerId>),
    /// The mouse.
    Mouse,
    /// Keys and commands.
    Help,
    /// The end.
    Quit,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// To be sent.
    Text(String),
    /// To be done.
    Command(Command),
    /// No such command; its name.
    Unknown(String),
    /// The command needs something behind its name.
    Missing(Name),
    /// What is behind the name isn't what it wants.
    Bad(Wanted),
}

/// What a command wants behind its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A channel's name.
    Channel,
    /// A person's name.
    Person,
    /// A number.
    Number,
}

/// Reads a line. Two slashes at the beginning make a message of it that begins with one. `home` is what `~` means.
pub(crate) fn parse(line: &str, home: Option<&Path>) -> Line {
    let text = line.trim_end();
    let Some(rest) = text.strip_prefix('/') else {
        return Line::Text(text.to_owned());
    };
    if rest.starts_with('/') {
        return Line::Text(rest.to_owned());
    }
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let lower = word.to_lowercase();
    let Some(&(name, _)) = NAMES.iter().find(|(_, known)| *known == lower) else {
        return Line::Unknown(word.to_owned());
    };
    command(name, rest.trim(), home).map_or_else(|wrong| wrong, Line::Command)
}

fn command(name: Name, rest: &str, home: Option<&Path>) -> Result<Command, Line> {
    let needed = || if rest.is_empty() { Err(Line::Missing(name)) } else { Ok(rest) };
    let optional = (!rest.is_empty()).then_some(rest);
    Ok(match name {
        Name::Join => Command::Join(channel(needed()?)?),
        Name::Leave => Command::Leave(optional.map(channel).transpose()?),
        Name::Channels => Command::Channels,
        Name::Msg => {
            let (who, text) = needed()?.split_once(char::is_whitespace).unwrap_or((rest, ""));
            let text = text.trim_start();
            Command::Msg(person(who)?, (!text.is_empty()).then(|| text.to_owned()))
        }
        Name::Who => Command::Who,
        Name::File => Command::File(path(needed()?, home)),
        Name::Accept => Command::Accept(optional.map(number).transpose()?),
        Name::Decline => Command::Decline(optional.map(number).transpose()?),
        Name::Cancel => Command::Cancel(optional.map(number).transpose()?),
        Name::Devices => Command::Devices(optional.map(person).transpose()?),
        Name::Compare => Command::Compare(optional.map(person).transpose()?),
        Name::Mouse => Command::Mouse,
        Name::Help => Command::Help,
        Name::Quit => Command::Quit,
    })
}

fn channel(text: &str) -> Result<ChannelName, Line> {
    let text = text.strip_prefix('#').unwrap_or(text);
    ChannelName::parse(text).map_err(|_| Line::Bad(Wanted::Channel))
}

fn person(text: &str) -> Result<PeerId, Line> {
    let text = text.strip_prefix('@').unwrap_or(text);
    PeerId::parse(text).map_err(|_| Line::Bad(Wanted::Person))
}

fn number(text: &str) -> Result<usize, Line> {
    text.parse().map_err(|_| Line::Bad(Wanted::Number))
}

/// A path as people write it, or as a file manager drops it: in quotes, with `\ ` for a space, with `~` or `file://`.
pub(crate) fn path(text: &str, home: Option<&Path>) -> PathBuf {
    let quoted =
        ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    let plain = match quoted {
        Some(inside) => inside.to_owned(),
        None => text.replace("\\ ", " "),
    };
    let plain = plain.strip_prefix("file://").unwrap_or(&plain);
    match (plain.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_owned(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(&rest[1..]),
        _ => PathBuf::from(plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Line {
        parse(line, Some(Path::new("/home/alice")))
    }

    #[test]
    fn what_begins_without_a_slash_is_a_message() {
        assert_eq!(read("hello /join "), Line::Text("hello /join".into()));
        assert_eq!(read("//usr is a folder"), Line::Text("/usr is a folder".into()));
    }

    #[test]
    fn commands_take_names_with_and_without_their_mark() {
        let lop = ChannelName::parse("lớp-10A").unwrap();
        assert_eq!(read("/join #lớp-10A"), Line::Command(Command::Join(lop.clone())));
        assert_eq!(read("/JOIN lớp-10A "), Line::Command(Command::Join(lop)));
        let bob = PeerId::parse("bob").unwrap();
        assert_eq!(read("/msg @bob"), Line::Command(Command::Msg(bob.clone(), None)));
        assert_eq!(
            read("/msg bob  see you  there"),
            Line::Command(Command::Msg(bob, Some("see you  there".into())))
        );
        assert_eq!(read("/leave"), Line::Command(Command::Leave(None)));
        assert_eq!(read("/accept 2"), Line::Command(Command::Accept(Some(2))));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(read("/usr/bin/env"), Line::Unknown("usr/bin/env".into()));
        assert_eq!(read("/"), Line::Unknown(String::new()));
        assert_eq!(read("/join"), Line::Missing(Name::Join));
        assert_eq!(read("/join two words"), Line::Bad(Wanted::Channel));
        assert_eq!(read("/accept x"), Line::Bad(Wanted::Number));
    }

    #[test]
    fn a_path_may_come_from_a_file_manager() {
        let home = Path::new("/home/alice");
        let path = |text| path(text, Some(home));
        assert_eq!(path("~/a b.txt"), Path::new("/home/alice/a b.txt"));
        assert_eq!(path("~"), home);
        assert_eq!(path("'/tmp/a b'"), Path::new("/tmp/a b"));
        assert_eq!(path("/tmp/a\\ b"), Path::new("/tmp/a b"));
        assert_eq!(path("file:///tmp/a"), Path::new("/tmp/a"));
    }
}
