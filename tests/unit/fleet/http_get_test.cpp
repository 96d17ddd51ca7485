// A page of a server that nobody trusts.
#include "fleet/sources/http_get.hpp"

#include <doctest/doctest.h>

#include <optional>

#include "tests/support/scripted_pages.hpp"

using namespace fleet;
using test_support::ScriptedPages;
using Kind = HttpAnswer::Kind;
using Then = ScriptedPages::Then;

namespace {

struct Lab {
  boost::asio::io_context loop;
  HttpBounds bounds{1'000, std::chrono::milliseconds(60'000), std::chrono::milliseconds(60'000)};

  HttpAnswer ask(const config::Endpoint& server, bool head = false) {
    std::optional<HttpAnswer> answer;
    http_get(loop, server, "/ring/aa", head, bounds,
             [&](HttpAnswer told) { answer = std::move(told); });
    test_support::run_until(loop, [&] { return answer.has_value(); });
    return *answer;
  }
  HttpAnswer answer_to(const std::string& bytes, Then then = Then::close) {
    ScriptedPages pages(loop, bytes, then);
    return ask(pages.endpoint());
  }
};

std::string head(const std::string& status, const std::string& more = "") {
  return "HTTP/1.1 " + status + "\r\n" + more + "\r\n";
}

}  // namespace

TEST_CASE("http get: a whole page, by its length, in chunks, or until the connection's end") {
  Lab lab;
  ScriptedPages pages(lab.loop, ScriptedPages::page("image"));
  const HttpAnswer answer = lab.ask(pages.endpoint());
  CHECK(answer.kind == Kind::whole);
  CHECK(answer.body == "image");
  CHECK(answer.why.empty());
  REQUIRE(pages.asked().size() == 1);
  CHECK(pages.asked().front().starts_with("GET /ring/aa HTTP/1.1\r\nHost: 127.0.0.1:"));

  CHECK(lab.answer_to(ScriptedPages::page("image"), Then::stay).body == "image");
  CHECK(lab.answer_to(ScriptedPages::page(std::string(1'000, 'x'))).body.size() == 1'000);
  CHECK(lab.answer_to(head("200 OK") + "image").body == "image");
  CHECK(lab.answer_to(head("200 OK", "Transfer-Encoding: chunked\r\n") +
                      "3\r\nima\r\n2\r\nge\r\n0\r\n\r\n")
            .body == "image");
}

TEST_CASE("http get: whether a page is there, without its body") {
  Lab lab;
  ScriptedPages there(lab.loop, head("200 OK", "Content-Length: 123456789\r\n"), Then::stay);
  const HttpAnswer answer = lab.ask(there.endpoint(), true);
  CHECK(answer.kind == Kind::whole);
  CHECK(answer.body.empty());
  CHECK(there.asked().front().starts_with("HEAD "));
  ScriptedPages missing(lab.loop, head("404 Not Found"));
  CHECK(lab.ask(missing.endpoint(), true).kind == Kind::no);
}

TEST_CASE("http get: what a server says instead") {
  Lab lab;
  for (const auto& [answer, kind, why] : {
           std::tuple{head("404 Not Found"), Kind::no, "it does not have it (404)"},
           {head("503 Busy", "Retry-After: 1\r\n"), Kind::busy, "it is busy (503)"},
           {head("302 Found", "Location: /other\r\nContent-Length: 0\r\n"), Kind::no,
            "it redirects (302), which is not followed"},
           {head("500 Oh"), Kind::no, "it answers 500"},
           {head("204 Nothing"), Kind::no, "it answers 204"},
           {head("100 Continue"), Kind::no, "it answers 100"},
       }) {
    const HttpAnswer told = lab.answer_to(answer);
    CHECK(told.kind == kind);
    CHECK(told.why == why);
  }
}

TEST_CASE("http get: a page that is too long is left where that shows") {
  Lab lab;
  const std::string kTooMuch = "it sends more than 1000 bytes";
  // Its length says so, though nothing of it comes.
  CHECK(lab.answer_to(head("200 OK", "Content-Length: 1001\r\n"), Then::stay).why == kTooMuch);
  CHECK(lab.answer_to(head("200 OK", "Content-Length: 99999999999999\r\n"), Then::stay).why ==
        kTooMuch);
  CHECK(lab.answer_to(head("200 OK") + std::string(1'001, 'x'), Then::stay).why == kTooMuch);
  CHECK(lab.answer_to(head("200 OK", "Transfer-Encoding: chunked\r\n") + "ffff\r\nxx", Then::stay)
            .kind == Kind::no);
  // Endless: the head is repeated as a part of the body.
  CHECK(lab.answer_to(head("200 OK") + std::string(500, 'x'), Then::repeat).why == kTooMuch);
}

TEST_CASE("http get: a page that is cut off is none") {
  Lab lab;
  for (const std::string& bytes :
       {head("200 OK", "Content-Length: 10\r\n") + "short", std::string("HTTP/1.1 200 OK\r\nCont"),
        head("200 OK", "Transfer-Encoding: chunked\r\n") + "a\r\nshort", std::string()}) {
    const HttpAnswer told = lab.answer_to(bytes);
    CHECK(told.kind == Kind::failed);
    CHECK(told.why == "its answer is cut off");
  }
}

TEST_CASE("http get: what is no answer of HTTP's, or has no end to its head") {
  Lab lab;
  for (const std::string& bytes :
       {std::string("SSH-2.0-x\r\n\r\n"), head("OK 200"), head("200 OK", "no field\r\n"),
        head("200 OK", "Content-Length: -5\r\n"),
        head("200 OK", "A: " + std::string(10'000, 'a') + "\r\n")})
    CHECK(lab.answer_to(bytes).why.starts_with("its answer is none of HTTP's"));
  CHECK(lab.answer_to("HTTP/1.1 200 OK\r\nA: " + std::string(300, 'a'), Then::repeat).kind ==
        Kind::no);
}

TEST_CASE("http get: one that is silent, slow or away does not keep its client for longer") {
  Lab lab;
  lab.bounds.whole = std::chrono::milliseconds(300);
  const std::string kLate = "its answer is not there within 1 s";
  CHECK(lab.answer_to("", Then::stay).why == kLate);
  CHECK(lab.answer_to("HTTP/1.1 200 OK\r\n", Then::stay).why == kLate);
  const HttpAnswer slow =
      lab.answer_to(head("200 OK", "Content-Length: 10\r\n") + "image", Then::stay);
  CHECK(slow.kind == Kind::failed);
  CHECK(slow.why == kLate);

  config::Endpoint nobody;
  {
    ScriptedPages gone(lab.loop, "");
    nobody = gone.endpoint();
  }
  const HttpAnswer away = lab.ask(nobody);
  CHECK(away.kind == Kind::failed);
  CHECK(away.why.starts_with("no connection: "));
}
