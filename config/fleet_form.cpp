// The member `fleet` of a configuration.
#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "config/image_url.hpp"
#include "config/reader.hpp"

namespace config {
namespace {

using Json = nlohmann::json;

constexpr std::uint16_t kZooKeeperPort = 2181;
constexpr std::size_t kNameMost = 100;
constexpr std::uint64_t kImageBytesMost = 4u << 20;  // of small servers, which keep it in memory

/// Names become parts of paths in ZooKeeper.
bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= kNameMost && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [](unsigned char byte) {
           return std::isalnum(byte) != 0 || byte == '-' || byte == '_' || byte == '.' ||
                  byte == ':';
         });
}

void read_servers(const Json& value, const std::string& path, std::vector<std::string>& into,
                  std::vector<Problem>& problems) {
  const bool addresses =
      value.is_array() && !value.empty() &&
      std::all_of(value.begin(), value.end(), [](const Json& item) {
        return item.is_string() && parse_address(item.get<std::string>(), kZooKeeperPort);
      });
  if (!addresses)
    return problems.push_back({path, "must be a list of ZooKeeper servers like \"10.0.0.1:2181\""});
  for (const Json& item : value) {
    const auto text = item.get<std::string>();
    const Endpoint server = *parse_address(text, kZooKeeperPort);
    const bool is_v6 = server.host.find(':') != std::string::npos;
    into.push_back((is_v6 ? "[" + server.host + "]" : server.host) + ":" +
                   std::to_string(server.port));
  }
}

}  // namespace

void read_fleet(const nlohmann::json& value, const std::string& path, Fleet& into,
                std::vector<Problem>& problems) {
  std::string start = into.start_waits ? "wait" : "serve";
  ObjectReader(path, problems)
      .text("name", into.name)
      .member("zookeeper",
              [&](const Json& list, const std::string& at) {
                read_servers(list, at, into.zookeeper, problems);
              })
      .text("credentialsFile", into.credentials_file)
      .text("member", into.member)
      .text("start", start)
      .number("startWaitMs", into.start_wait_ms, 0, 3'600'000)
      .number("sessionMs", into.session_ms, 1'000, 60'000)
      .number("imageBytesMax", into.image_bytes_max, 0, kImageBytesMost)
      .text("imageUrl", into.image_url)
      .read(value, problems);
  if (!value.is_object()) return;
  if (!is_name(into.name))
    problems.push_back(
        {path + ".name", "is required: letters, digits, \"-\", \"_\", \".\", \":\", 100 at most"});
  if (!into.member.empty() && !is_name(into.member))
    problems.push_back(
        {path + ".member",
         "takes letters, digits, \"-\", \"_\", \".\" and \":\", 100 at most, not \"" + into.member +
             "\""});
  if (!value.contains("zookeeper"))
    problems.push_back({path + ".zookeeper", "is required: a list of servers"});
  try {
    if (!into.image_url.empty()) static_cast<void>(image_url_from(into.image_url));
  } catch (const std::invalid_argument& error) {
    problems.push_back({path + ".imageUrl", error.what()});
  }
  if (start != "serve" && start != "wait")
    problems.push_back({path + ".start", "must be serve or wait, not \"" + start + "\""});
  into.start_waits = start == "wait";
}

}  // namespace config
