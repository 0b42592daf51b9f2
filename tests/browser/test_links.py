"""Two people and the link between their browsers."""

from playwright.sync_api import expect


def talk(ana, ben):
    """Both have the talk with each other open, linked."""
    ana.write_to(ben.name)
    ben.write_to(ana.name)
    for person in (ana, ben):
        person.linked()


def test_two_people_link_and_their_messages_go_straight_across(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    ana.say("hello ben")
    ben.sees("hello ben")
    ana.went("hello ben", "direct")
    ben.went("hello ben", "got-direct")
    ben.say("hello ana")
    ana.went("hello ana", "got-direct")
    ben.went("hello ana", "direct")
    assert ana.call("GET", "/chat/mailbox")["messages"] == []
    for person in (ana, ben):
        person.page.reload()
        expect(person.page.locator("li.message .said")).to_have_text(["hello ben", "hello ana"])
    ana.went("hello ben", "direct")
