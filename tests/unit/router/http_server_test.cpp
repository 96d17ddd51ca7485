// Pages that take their time.
#include "router/pages/http_server.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <thread>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "router/log/log.hpp"

using namespace router;
using boost::asio::ip::tcp;

namespace {

struct Lab {
  struct Question {
    std::string rest;
    HttpServer::Answer answer;
  };
  Log log{"test", LogLevel::fatal, STDERR_FILENO};
  std::promise<Question> asked;
  std::unique_ptr<HttpServer> server = std::make_unique<HttpServer>(
      "127.0.0.1", 0,
      HttpServer::Pages{{"/quick",
                         [] {
                           return HttpPage{200, "text/plain", "q"};
                         }}},
      log, HttpServer::SlowPages{{"/slow/", [this](std::string rest, HttpServer::Answer answer) {
                                    asked.set_value({std::move(rest), std::move(answer)});
                                  }}});
  boost::asio::io_context loop;

  tcp::socket send(const std::string& line) {
    tcp::socket socket(loop);
    socket.connect({boost::asio::ip::address_v4::loopback(), server->port()});
    boost::asio::write(
        socket, boost::asio::buffer(line + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    return socket;
  }
  static std::string all(tcp::socket socket) {
    std::string text;
    boost::system::error_code error;
    boost::asio::read(socket, boost::asio::dynamic_buffer(text), error);
    return text;
  }
  Question question() {
    Question question = asked.get_future().get();
    asked = {};
    return question;
  }
};

}  // namespace

TEST_CASE("http server: a slow page is answered from any thread, and others go on meanwhile") {
  Lab lab;
  tcp::socket client = lab.send("GET /slow/a/b?c");
  const auto question = lab.question();
  CHECK(question.rest == "a/b");
  CHECK(Lab::all(lab.send("GET /quick")).ends_with("\r\n\r\nq"));
  const auto large = std::make_shared<const std::string>(5'000'000, 'x');
  std::thread([&] {
    question.answer({200, "application/octet-stream", {}, large, {{"Ring-Digest", "aa"}}});
    question.answer({200, "text/plain", "again"});  // heard once
  }).join();
  const std::string text = Lab::all(std::move(client));
  CHECK(text.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(text.find("Content-Length: 5000000\r\n") != std::string::npos);
  CHECK(text.find("Ring-Digest: aa\r\n") != std::string::npos);
  CHECK(text.substr(text.find("\r\n\r\n") + 4) == *large);
}

TEST_CASE("http server: HEAD of a slow page is its head, and what is sent is given back") {
  Lab lab;
  tcp::socket client = lab.send("HEAD /slow/a");
  auto large = std::make_shared<const std::string>(1'000, 'x');
  lab.question().answer({200, "application/octet-stream", {}, large});
  const std::string text = Lab::all(std::move(client));
  CHECK(text.find("Content-Length: 1000\r\n") != std::string::npos);
  CHECK(text.ends_with("\r\n\r\n"));
  lab.server.reset();
  CHECK(large.use_count() == 1);
}

TEST_CASE("http server: paths of slow pages begin as they are told, and POST is refused") {
  Lab lab;
  for (const char* path : {"/slow", "/slower/a", "//slow/a", "/", "*", "/quick/a"})
    CHECK(Lab::all(lab.send(std::string("GET ") + path)).starts_with("HTTP/1.1 404"));
  CHECK(Lab::all(lab.send("POST /slow/a")).starts_with("HTTP/1.1 405"));
}

TEST_CASE("http server: an answer that comes after the server, or after its client, goes nowhere") {
  Lab lab;
  tcp::socket client = lab.send("GET /slow/a");
  auto question = lab.question();
  lab.server.reset();
  CHECK(Lab::all(std::move(client)).empty());
  question.answer({200, "text/plain", "late"});

  Lab other;
  auto left = [&] {
    tcp::socket gone = other.send("GET /slow/a");
    return other.question();
  }();
  left.answer({200, "text/plain", std::string(100'000, 'x')});
  CHECK(Lab::all(other.send("GET /quick")).ends_with("q"));
}
