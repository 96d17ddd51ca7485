#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace router {

class Log;

struct HttpPage {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

/// Serves a few read-only pages over HTTP/1.1 on a thread of its own, so that no page ever takes
/// a worker's time. GET and HEAD only (405). What is no request is answered 400, one with a body of
/// more than 16 KiB 413, with more than 16 KiB of headers 431. A client that is silent for 10 s is
/// dropped; of 64 clients the one that has been idle for longest makes room for another, and where
/// none is idle, that gets 503.
class HttpServer {
 public:
  using Pages =
      std::map<std::string, std::function<HttpPage()>>;  ///< by path; called on the thread

  /// Listens; throws std::runtime_error naming the address when that fails.
  HttpServer(const std::string& host, std::uint16_t port, Pages pages, Log& log);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace router
