#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace router {

class Log;

struct HttpPage {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::shared_ptr<const std::string> large = nullptr;  ///< instead of `body`; held until it is sent
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< more of them
};

/// Serves a few read-only pages over HTTP/1.1 on a thread of its own, so that no page ever takes
/// a worker's time. GET and HEAD only (405). What is no request is answered 400, one with a body of
/// more than 16 KiB 413, with more than 16 KiB of headers 431. A client that is silent for 10 s is
/// dropped, and one that takes less than 1 MiB of a large page in a second, and 10 s; of 64 clients
/// the one that has been idle for longest makes room for another, and where none is idle, that gets
/// 503.
class HttpServer {
 public:
  using Pages =
      std::map<std::string, std::function<HttpPage()>>;  ///< by path; called on the thread
  /// For any thread; once. What is answered when the server is gone goes nowhere.
  using Answer = std::function<void(HttpPage)>;
  /// Pages that take their time, by what their paths begin with (`/…/`); called on the thread, with
  /// what follows.
  using SlowPages = std::map<std::string, std::function<void(std::string rest, Answer answer)>>;

  /// Listens; throws std::runtime_error naming the address when that fails.
  HttpServer(const std::string& host, std::uint16_t port, Pages pages, Log& log,
             SlowPages slow_pages = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace router
