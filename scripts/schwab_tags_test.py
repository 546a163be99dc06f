from scripts.schwab_tags import DOCUMENT, SOURCES, open_questions, section, tags_of, with_section


def test_the_document_counts_what_is_not_established() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == with_section(document, section(SOURCES))


def test_tags_are_counted_and_types_are_not() -> None:
    text = '"""Answer 200. [O][?] Wording. [O, wording ?]"""\nx: list[str] = a[S]\n'
    assert tags_of(text.replace("a[S]", "")) == ["O", "?", "O", "?"]
    assert tags_of("x: dict[str, Any] = y[0]") == []


def test_an_open_question_is_its_own_sentence() -> None:
    text = '"""Answer hours.\n\nThe texts are known. [S] The key is\nnot. [?]\n"""'
    assert open_questions(text) == ["The key is not"]
