# All images: docker buildx bake -f deploy/docker-bake.hcl [--push]
variable "REGISTRY" { default = "registry.example.org/sealpost" }
variable "VERSION" { default = "0.1.0" }
variable "REVISION" { default = "unknown" }

group "default" { targets = ["image"] }

target "image" {
  name       = program
  matrix     = {
    program = [
      "sealpost", "sealpost-auth", "sealpost-keystore", "sealpost-mailbox", "sealpost-sync", "sealpost-notify",
      "sealpost-relay", "sealpost-sms-gateway",
    ]
  }
  context    = "."
  dockerfile = "deploy/Dockerfile"
  platforms  = ["linux/amd64", "linux/arm64"]
  args       = { PROGRAM = program, VERSION = VERSION, REVISION = REVISION }
  tags       = ["${REGISTRY}/${program}:${VERSION}"]
}
