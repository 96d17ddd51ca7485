#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "tests/fuzz/require.hpp"
#include "tests/fuzz/serving_app.hpp"

// Lines to a serving router's admin socket: each has one answer, and it serves on.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string line(reinterpret_cast<const char*>(data), size);
  std::replace(line.begin(), line.end(), '\n', ' ');
  if (line.find("drain") != std::string::npos) return 0;  // it would do so
  const std::string answer = ServingApp::get().to_admin(line + "\n");
  require(!answer.empty() && answer.find('\n') == answer.size() - 1, "a line has one answer");
  const auto read = nlohmann::json::parse(answer);
  require(read.at("v") == 1 && read.at("ok").is_boolean(), "an answer says how it went");
  require(read.at("ok") == read.contains("result"), "a result, where it went well");
  if (!read.at("ok"))
    require(!read.at("error").at("message").get<std::string>().empty(), "a refusal has words");
  return 0;
}
