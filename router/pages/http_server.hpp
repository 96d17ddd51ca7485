#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace router {

struct HttpPage {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

/// Serves a few read-only pages over HTTP/1.1 on a thread of its own, so that no page ever takes
/// a worker's time. GET and HEAD only. A client that is silent for 10 s is dropped.
class HttpServer {
 public:
  using Pages =
      std::map<std::string, std::function<HttpPage()>>;  ///< by path; called on the thread

  /// Listens; throws std::runtime_error naming the address when that fails.
  HttpServer(const std::string& host, std::uint16_t port, Pages pages);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Parts;
  std::shared_ptr<Parts> parts_;
};

}  // namespace router
