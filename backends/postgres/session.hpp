#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "backends/postgres/query.hpp"

struct pg_conn;

namespace backends::postgres {

/// A connection for tools: it waits for each answer. Lives on one thread at a time.
class Session {
 public:
  /// `application`: what the server's list of sessions shows. Throws SessionError.
  Session(const std::string& url, const std::string& application);

  /// Throws SessionError with the server's own words.
  Rows run(const std::string& sql, const Parameters& parameters = {});

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  std::unique_ptr<pg_conn, Finish> connection_;
};

struct SessionError : std::runtime_error {
  SessionError(const std::string& what, std::string state) : std::runtime_error(what), sqlstate(std::move(state)) {}
  std::string sqlstate;  ///< empty: the connection was lost, or never made
};

}  // namespace backends::postgres
