#pragma once

#include <string>

namespace backends::postgres {

/// A URL, or words, of libpq's, as another program may get it in its arguments.
struct ConnectionWords {
  std::string words;     ///< `host='…' port='…'`, without the password
  std::string password;  ///< empty: it names none
};

/// Throws std::invalid_argument with libpq's words where it is neither.
ConnectionWords connection_words(const std::string& url);

/// A line of a password file, for any server.
std::string password_line(const std::string& password);

}  // namespace backends::postgres
