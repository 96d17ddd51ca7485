#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "tests/fuzz/require.hpp"
#include "tests/fuzz/serving_app.hpp"

// Bytes to a serving router's status port: each answer is one of HTTP's, and it serves on.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string answer =
      ServingApp::get().to_status_pages({reinterpret_cast<const char*>(data), size});
  if (answer.empty()) return 0;  // no request was whole
  static const std::set<std::string> known{"200", "400", "404", "405", "413", "431", "503"};
  require(answer.starts_with("HTTP/1.") && known.contains(answer.substr(9, 3)),
          "an answer is a status: " + answer.substr(0, 40));
  return 0;
}
