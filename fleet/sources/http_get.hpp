#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "config/config.hpp"

namespace fleet {

/// What one request may cost.
struct HttpBounds {
  std::size_t bytes = 0;  ///< of the answer's body
  std::chrono::milliseconds connect{3'000};
  std::chrono::milliseconds whole{30'000};  ///< from the connection to the answer's last byte
};

struct HttpAnswer {
  enum class Kind : std::uint8_t {
    whole,   ///< status 200, and all of its body is here
    no,      ///< it has said something else
    failed,  ///< it is away, slow, or was cut off, and may do better later
    busy,    ///< it asks to come back (503)
  };
  Kind kind = Kind::failed;
  std::string body;
  std::string why;  ///< for people; empty: whole
};

/// Asks a server that nobody trusts for a page: whatever it answers ends within the bounds.
/// Redirections are not followed. `head`: asks whether the page is there, without its body. `done`
/// is called once, on the loop, never from inside; not where the loop ends before.
void http_get(boost::asio::io_context& loop, const config::Endpoint& server, std::string target,
              bool head, HttpBounds bounds, std::function<void(HttpAnswer)> done);

}  // namespace fleet
