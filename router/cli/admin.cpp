#include <cstdio>
#include <iostream>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "config/config.hpp"
#include "router/cli/commands.hpp"

namespace router::cli {
namespace {

using Json = nlohmann::ordered_json;

struct AdminOptions {
  std::string socket = config::Config().admin_socket;
  bool json = false;
  std::string bucket, key, ring, expect_digest, level;
};

/// Sends one request and waits for its answer. Throws std::exception.
Json ask(const std::string& path, const Json& request) {
  using boost::asio::local::stream_protocol;
  boost::asio::io_context loop;
  stream_protocol::socket socket(loop);
  socket.connect(stream_protocol::endpoint(path));
  boost::asio::write(socket, boost::asio::buffer(request.dump() + "\n"));
  boost::asio::streambuf answer;
  boost::asio::read_until(socket, answer, '\n');
  std::istream lines(&answer);
  std::string line;
  std::getline(lines, line);
  return Json::parse(line);
}

/// For people: a member a line, indented by depth.
void print(const Json& value, const std::string& indent = "") {
  for (const auto& [name, member] : value.items()) {
    const std::string label = indent + (value.is_array() ? "-" : name + ":");
    if (member.is_structured() && !member.empty()) {
      std::printf("%s\n", label.c_str());
      print(member, indent + "  ");
    } else {
      std::printf("%s %s\n", label.c_str(), member.is_string() ? member.get<std::string>().c_str() : member.dump().c_str());
    }
  }
}

int admin(const AdminOptions& options, const std::string& command, const Json& arguments) {
  try {
    const Json answer = ask(options.socket, {{"v", 1}, {"command", command}, {"arguments", arguments}});
    const bool ok = answer.at("ok");
    if (options.json)
      std::printf("%s\n", answer.dump().c_str());
    else if (ok)
      print(answer.at("result"));
    else
      std::fprintf(stderr, "moray-router: %s\n", answer.at("error").at("message").get<std::string>().c_str());
    return ok ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "moray-router: admin socket %s: %s\n", options.socket.c_str(), error.what());
    return 1;
  }
}

}  // namespace

void add_admin(CLI::App& program, int& exit_code) {
  auto options = std::make_shared<AdminOptions>();
  CLI::App* command = program.add_subcommand("admin", "Asks and tells a running router, over its admin socket");
  command->require_subcommand(1);
  command->add_option("--socket", options->socket, "The router's admin socket")->capture_default_str();
  command->add_flag("--json", options->json, "Prints the answer as it comes, for scripts");
  const auto add = [&](const char* name, const char* help, std::function<Json()> arguments) {
    CLI::App* one = command->add_subcommand(name, help);
    one->fallthrough();
    one->callback([options, name, arguments, &exit_code] { exit_code = admin(*options, name, arguments()); });
    return one;
  };
  const auto nothing = [] { return Json::object(); };
  add("status", "Shows ring, shards and the last reload", nothing);
  add("shards", "Shows each shard's health", nothing);
  add("sessions", "Lists the clients", nothing);
  CLI::App* locate = add("locate", "Shows where a key lies", [options] { return Json{{"bucket", options->bucket}, {"key", options->key}}; });
  locate->add_option("BUCKET", options->bucket)->required();
  locate->add_option("KEY", options->key)->required();
  CLI::App* reload = add("reload", "Loads configuration and ring again, all or nothing", [options] {
    Json arguments = Json::object();
    if (!options->ring.empty()) arguments["ring"] = options->ring;
    if (!options->expect_digest.empty()) arguments["expectDigest"] = options->expect_digest;
    return arguments;
  });
  reload->add_option("PATH", options->ring, "The ring's directory, instead of the configuration's");
  reload->add_option("--expect-digest", options->expect_digest, "Refuses a ring of another digest");
  CLI::App* level = add("log-level", "Shows or sets how much is logged", [options] {
    return options->level.empty() ? Json::object() : Json{{"level", options->level}};
  });
  level->add_option("LEVEL", options->level, "trace, debug, info, warn, error or fatal");
  add("drain", "Stops taking clients, finishes what is in flight, and ends", nothing);
}

}  // namespace router::cli
