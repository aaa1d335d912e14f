"""The Python libraries of clients.py.

usage: clients_libraries.py URL URL_WITH_TOOLS   of two ternd on tern-stories, the second with a template for tools
"""
import sys

import langchain_openai
import litellm
import openai
import pydantic
from langchain_core.messages import HumanMessage
from openai.types.chat import ParsedChatCompletionMessage, ParsedFunctionToolCall
from openai.types.chat.parsed_function_tool_call import ParsedFunction

MODEL = "tern-stories"
QUESTION = {"role": "user", "content": "How many legs does a spider have?"}


class GetWeather(pydantic.BaseModel):
    """Weather of a city."""
    city: str


def check_openai(url, url_with_tools):
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    args = dict(model=MODEL, temperature=0, max_completion_tokens=20)
    with client.chat.completions.stream(**args, messages=[QUESTION], stream_options={"include_usage": True}) as events:
        streamed = events.get_final_completion()
    parsed = client.chat.completions.parse(**args, messages=[QUESTION])
    created = client.chat.completions.create(**args, messages=[QUESTION])
    texts = {answer.choices[0].message.content for answer in (streamed, parsed, created)}
    assert len(texts) == 1 and streamed.usage.completion_tokens == created.usage.completion_tokens, texts
    for answer in streamed, parsed, created:  # each goes back, as the object and with all its nulls
        message = answer.choices[0].message
        for form in message, message.model_dump():
            client.chat.completions.create(**args, messages=[QUESTION, form, QUESTION])

    client = openai.OpenAI(base_url=url_with_tools, api_key="none", max_retries=0)
    tool = openai.pydantic_function_tool(GetWeather)
    assert tool["function"]["strict"] is True
    args |= dict(tools=[tool], parallel_tool_calls=False)
    with client.chat.completions.stream(**args, messages=[QUESTION]) as events:
        assert events.get_final_completion().choices[0].finish_reason
    assert client.chat.completions.parse(**args, messages=[QUESTION]).choices[0].message
    call = ParsedFunctionToolCall(id="c1", type="function", index=0, function=ParsedFunction(
        name="GetWeather", arguments='{"city": "Oslo"}', parsed_arguments=GetWeather(city="Oslo")))
    answer = ParsedChatCompletionMessage(role="assistant", content=None, tool_calls=[call])
    result = {"role": "tool", "tool_call_id": "c1", "content": "sunny"}
    client.chat.completions.create(**args, messages=[QUESTION, answer.model_dump(), result])
    print("openai: stream, parse, create, strict tools; their answers sent back")


def check_litellm(url, url_with_tools):
    args = dict(model=f"openai/{MODEL}", api_key="none", temperature=0, max_tokens=20, num_retries=0)
    whole = litellm.completion(**args, api_base=url, messages=[QUESTION], user="u")
    chunks = list(litellm.completion(**args, api_base=url, messages=[QUESTION], stream=True,
                                     stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content != ""
    marked = {"role": "user", "content": [
        {"type": "text", "text": "And a cat?", "cache_control": {"type": "ephemeral"}}]}
    litellm.completion(**args, api_base=url, messages=[QUESTION, whole.choices[0].message.model_dump(), marked])
    litellm.completion(**args, api_base=url_with_tools, messages=[QUESTION], parallel_tool_calls=False,
                       tools=[openai.pydantic_function_tool(GetWeather)])
    completion = litellm.text_completion(model=f"text-completion-openai/{MODEL}", api_base=url, api_key="none",
                                         prompt="Once upon a time", max_tokens=8)
    assert completion.choices[0].text
    print("litellm: whole, streamed, sent back, tools, text completion")


def check_langchain(url, url_with_tools):
    args = dict(model=MODEL, api_key="none", temperature=0, max_completion_tokens=20, max_retries=0)
    chat = langchain_openai.ChatOpenAI(**args, base_url=url, stream_usage=True)
    question = HumanMessage(QUESTION["content"])
    whole = chat.invoke([question])
    assert whole.content and whole.usage_metadata["output_tokens"] > 0
    chunks = list(chat.stream([question]))
    assert "".join(c.content for c in chunks) == whole.content
    assert sum(c.usage_metadata["output_tokens"] for c in chunks if c.usage_metadata) == \
        whole.usage_metadata["output_tokens"]
    assert chat.invoke([question, whole, HumanMessage("And a cat?")]).content is not None
    tools = langchain_openai.ChatOpenAI(**args, base_url=url_with_tools)
    tools.bind_tools([GetWeather], strict=True, parallel_tool_calls=False).invoke([question])
    llm = langchain_openai.OpenAI(model=MODEL, base_url=url, api_key="none", max_tokens=8, max_retries=0)
    assert llm.invoke("Once upon a time") and "".join(llm.stream("Once upon a time"))
    print("langchain-openai: whole, streamed, sent back, tools, text completion")


def check_unfinished(url):
    """A library's error is the server's."""
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    try:
        client.chat.completions.create(model=MODEL, messages=[QUESTION], reasoning_effort="high")
    except openai.BadRequestError as error:
        assert error.param == "reasoning_effort", error
    else:
        raise AssertionError("an effort that this model's template does not use was taken")
    client.chat.completions.create(model=MODEL, messages=[QUESTION], reasoning_effort="none", max_tokens=4)


def main():
    url, url_with_tools = sys.argv[1:]
    check_openai(url, url_with_tools)
    check_litellm(url, url_with_tools)
    check_langchain(url, url_with_tools)
    check_unfinished(url)


if __name__ == "__main__":
    sys.exit(main())
